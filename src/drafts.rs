//! Files that are whole or not there: written beside their places, and moved there when all are.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// A file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write '{}': {source}", path.display())]
pub struct Unwritten {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

impl Unwritten {
    /// Says of what file it is that the system speaks.
    pub fn of(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { path, source }
    }
}

/// Files under way. Those that are not moved to their places are gone with it.
#[derive(Default)]
pub(crate) struct Drafts(Vec<Draft>);

struct Draft {
    /// Where it belongs.
    place: PathBuf,
    /// Where it is meanwhile.
    path: PathBuf,
    file: File,
}

impl Drafts {
    /// Begins a file.
    pub(crate) fn begin(&mut self, place: &Path) -> Result<&File, Unwritten> {
        let own = std::process::id();
        let path = beside(place, |stem, end| format!(".{stem}.{own}.{end}.part"));
        let file = File::create(&path).map_err(Unwritten::of(place))?;
        self.0.push(Draft { place: place.to_owned(), path, file });
        Ok(&self.0[self.0.len() - 1].file)
    }

    /// Moves all files to their places, and returns these. None is moved before all are on the disk.
    pub(crate) fn settle(mut self) -> Result<Vec<PathBuf>, Unwritten> {
        for draft in &self.0 {
            draft.file.sync_all().map_err(Unwritten::of(&draft.place))?;
        }
        for draft in &self.0 {
            fs::rename(&draft.path, &draft.place).map_err(Unwritten::of(&draft.place))?;
        }
        Ok(self.0.drain(..).map(|draft| draft.place).collect())
    }
}

impl Drop for Drafts {
    fn drop(&mut self) {
        for draft in &self.0 {
            // What cannot be removed is not worth more than the error that led here.
            let _ = fs::remove_file(&draft.path);
        }
    }
}

/// A name made from stem and end of another, in the same folder.
pub(crate) fn beside(path: &Path, name: impl FnOnce(&str, &str) -> String) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let end = path.extension().unwrap_or_default().to_string_lossy();
    path.with_file_name(name(&stem, &end))
}
