//! Files that are whole or not there: written beside their places, and moved there when all are.
//!
//! Who is ended leaves nothing, who is killed its drafts. Each is locked as long as it is written, so that the next one for the same place
//! can tell those of the dead, and removes them.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use store::leftovers::{self, Leftover};

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
    /// What it is for: as it was named.
    named: PathBuf,
    /// Where it belongs, behind all links.
    place: PathBuf,
    /// Where it is meanwhile; `None` when it is written where it belongs: to a pipe, to a device.
    path: Option<Leftover>,
    file: File,
}

impl Drafts {
    /// Begins a file. A link is followed: what it leads to is written, and it stays.
    pub(crate) fn begin(&mut self, named: &Path) -> Result<&mut File, Unwritten> {
        let place = behind_links(named).map_err(Unwritten::of(named))?;
        // What is no file cannot be replaced by one: whoever reads from it is to get what there is.
        let is_other = fs::metadata(&place).is_ok_and(|found| !found.is_file() && !found.is_dir());
        let (path, file) = if is_other {
            let file = open_other(&place).map_err(Unwritten::of(named))?;
            leftovers::is_seen();
            (None, file)
        } else {
            remove_left(&place);
            let own = std::process::id();
            let path = beside(&place, |stem, end| format!(".{stem}.{own}.{end}.part"));
            let path = Leftover::at(path);
            let file = File::create(path.path()).map_err(Unwritten::of(named))?;
            // Where nothing can be locked, nothing can be told to be left, either.
            let _ = file.try_lock();
            (Some(path), file)
        };
        self.0.push(Draft { named: named.to_owned(), place, path, file });
        let last = self.0.len() - 1;
        Ok(&mut self.0[last].file)
    }

    /// Moves all files to their places, and returns these. None is moved before all are on the disk.
    pub(crate) fn settle(mut self) -> Result<Vec<PathBuf>, Unwritten> {
        for draft in self.0.iter().filter(|draft| draft.path.is_some()) {
            draft.file.sync_all().map_err(Unwritten::of(&draft.named))?;
        }
        let files = self.0.iter_mut();
        let files = files.filter_map(|draft| Some((draft.path.take()?, draft.place.clone())));
        let settled = leftovers::settle(files.collect());
        let mut names = self.0.into_iter().map(|draft| (draft.place, draft.named));
        match settled {
            Ok(()) => Ok(names.map(|(_, named)| named).collect()),
            Err((place, source)) => {
                let named = names.find(|(own, _)| *own == place).map(|(_, named)| named);
                Err(Unwritten { path: named.unwrap_or(place), source })
            }
        }
    }
}

/// Removes drafts for a place that nobody writes any more: whoever did was killed. What cannot be looked at, locked or
/// removed stays.
fn remove_left(place: &Path) {
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty());
    let Ok(names) = fs::read_dir(folder.unwrap_or(Path::new("."))) else { return };
    // Their names, with the number of a process where the two parts meet.
    let (before, behind) = (beside(place, |stem, _| format!(".{stem}.")), place.extension());
    let (before, behind) = (before.file_name().unwrap_or_default(), behind.unwrap_or_default());
    let behind = format!(".{}.part", behind.to_string_lossy());
    for path in names.filter_map(|name| Some(name.ok()?.path())) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let number = name.strip_prefix(&*before.to_string_lossy());
        let number = number.and_then(|rest| rest.strip_suffix(&behind));
        let is_draft = number.is_some_and(|number| number.parse::<u32>().is_ok());
        let is_file = fs::symlink_metadata(&path).is_ok_and(|found| found.is_file());
        if is_draft && is_file && File::open(&path).is_ok_and(|left| left.try_lock().is_ok()) {
            let _ = fs::remove_file(&path);
        }
    }
}

/// Opens what is no file: a device, a pipe. Who is to read from a pipe may still be on the way, but not for ever:
/// the system itself would wait without end.
#[cfg(unix)]
fn open_other(place: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;

    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let begun = Instant::now();
    let file = loop {
        match File::options().write(true).custom_flags(flags).open(place) {
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
                if begun.elapsed() > READER_WAIT {
                    return Err(io::Error::other("a pipe, and nobody reads from it"));
                }
                std::thread::park_timeout(Duration::from_millis(20));
            }
            opened => break opened?,
        }
    };
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}

#[cfg(not(unix))]
fn open_other(place: &Path) -> io::Result<File> {
    File::options().write(true).open(place)
}

/// How long a pipe waits for somebody who reads from it.
const READER_WAIT: Duration = Duration::from_secs(5);

/// Most links one behind the other, as many as the system follows.
const LINKS_MAX: usize = 40;

/// Where a path leads to, also where there is nothing yet.
fn behind_links(path: &Path) -> io::Result<PathBuf> {
    let mut place = path.to_owned();
    for _ in 0..LINKS_MAX {
        match fs::read_link(&place) {
            Ok(to) => place = place.parent().unwrap_or(Path::new("")).join(to),
            // No link, or nothing yet.
            Err(_) => return Ok(place),
        }
    }
    Err(io::Error::other("too many links, one behind the other"))
}

/// A name made from stem and end of another, in the same folder.
pub(crate) fn beside(path: &Path, name: impl FnOnce(&str, &str) -> String) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let end = path.extension().unwrap_or_default().to_string_lossy();
    path.with_file_name(name(&stem, &end))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    fn written(named: &Path) {
        let mut drafts = Drafts::default();
        drafts.begin(named).unwrap().write_all(b"new").unwrap();
        assert_eq!(drafts.settle().unwrap(), [named]);
    }

    #[test]
    fn a_link_stays_and_what_it_leads_to_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("far")).unwrap();
        fs::write(path("far/old.json"), "old").unwrap();
        symlink("far/old.json", path("second.json")).unwrap();
        symlink(path("second.json"), path("first.json")).unwrap();
        written(&path("first.json"));
        assert_eq!(fs::read(path("far/old.json")).unwrap(), b"new");
        for link in ["first.json", "second.json"] {
            assert!(fs::symlink_metadata(path(link)).unwrap().is_symlink(), "{link}");
        }
        // One that leads to nothing yet.
        symlink("far/other.json", path("third.json")).unwrap();
        written(&path("third.json"));
        assert_eq!(fs::read(path("far/other.json")).unwrap(), b"new");
        let left = fs::read_dir(path("far")).unwrap().count();
        assert_eq!(left, 2, "no draft is left");
        symlink("loop.json", path("loop.json")).unwrap();
        assert!(Drafts::default().begin(&path("loop.json")).is_err());
    }

    #[test]
    fn drafts_of_the_dead_are_removed_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let stay = [".nov.x.json.part", ".nov-a.9.json.part", ".nov.9.csv.part", "nov.9.json.part"];
        for name in stay.iter().chain(&[".nov.8.json.part", ".nov.9.json.part"]) {
            fs::write(path(name), "half").unwrap();
        }
        // Somebody else is at it.
        let other = File::open(path(".nov.8.json.part")).unwrap();
        other.try_lock().unwrap();
        written(&path("nov.json"));
        assert!(!path(".nov.9.json.part").exists());
        assert!(stay.iter().chain(&[".nov.8.json.part"]).all(|name| path(name).exists()));
        drop(other);
        written(&path("nov.json"));
        assert!(!path(".nov.8.json.part").exists());
        assert_eq!(fs::read(path("nov.json")).unwrap(), b"new");
    }

    #[test]
    fn a_pipe_is_written_and_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe.json");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || {
                let mut said = String::new();
                File::open(pipe).unwrap().read_to_string(&mut said).unwrap();
                said
            }
        });
        written(&pipe);
        assert_eq!(reader.join().unwrap(), "new");
        // Nobody reads from it any more.
        let refused = Drafts::default().begin(&pipe).unwrap_err();
        assert!(refused.to_string().contains("nobody reads"), "{refused}");
        assert!(!fs::symlink_metadata(&pipe).unwrap().is_file());
    }
}
