//! What nobody is to find when a program is ended in the midst of its work: drafts of files, copies of stores.
//!
//! Whoever makes something that is to go again notes it here first. Who ends the program removes all of it, at whatever
//! the rest of the program is, which from then on can begin and settle nothing any more.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// All of this program, since all of it ends at once.
static UNDER_WAY: Mutex<UnderWay> =
    Mutex::new(UnderWay { paths: BTreeSet::new(), is_settled: false, is_seen: false });

struct UnderWay {
    paths: BTreeSet<PathBuf>,
    /// Files stand in their places: it is too late to say that there are none.
    is_settled: bool,
    /// Some of it was written where others read it as it comes.
    is_seen: bool,
}

fn lock() -> MutexGuard<'static, UnderWay> {
    UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file or folder that is gone with it.
#[derive(Debug)]
pub struct Leftover(Option<PathBuf>);

impl Leftover {
    /// What is about to be made.
    pub fn at(path: PathBuf) -> Self {
        lock().paths.insert(path.clone());
        Self(Some(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new(""))
    }
}

impl Drop for Leftover {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            let mut under_way = lock();
            remove(&path);
            under_way.paths.remove(&path);
        }
    }
}

/// What cannot be removed is not worth more than what led here.
fn remove(path: &Path) {
    let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

/// Moves files to their places: none while the program is being ended, and all before it can be. Where one cannot be
/// moved, it says which by its place.
pub fn settle(files: Vec<(Leftover, PathBuf)>) -> Result<(), (PathBuf, io::Error)> {
    let mut under_way = lock();
    let mut left = files.into_iter();
    let mut moved = Ok(());
    for (mut file, place) in left.by_ref() {
        if let Err(error) = fs::rename(file.path(), &place) {
            moved = Err((file, place, error));
            break;
        }
        under_way.is_settled = true;
        if let Some(path) = file.0.take() {
            under_way.paths.remove(&path);
        }
    }
    // What is left is removed by itself, which needs the lock.
    drop(under_way);
    drop(left);
    moved.map_err(|(_, place, error)| (place, error))
}

/// What is written from now on is read by others as it comes.
pub fn is_seen() {
    lock().is_seen = true;
}

/// What was under way is gone, and nothing is begun or settled any more: whoever has this ends the program.
pub struct Abandoned(MutexGuard<'static, UnderWay>);

impl Abandoned {
    /// Whether some of it was written nevertheless, where others read it as it comes.
    pub fn is_partly_written(&self) -> bool {
        self.0.is_seen
    }
}

/// Removes what is under way; `None` when files stand in their places already, so that there is nothing to end.
pub fn abandon() -> Option<Abandoned> {
    let under_way = lock();
    if under_way.is_settled {
        return None;
    }
    under_way.paths.iter().for_each(|path| remove(path));
    Some(Abandoned(under_way))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_gone_with_it_and_what_was_settled_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let made = |name: &str| {
            let own = Leftover::at(path(name));
            fs::write(own.path(), name).unwrap();
            own
        };
        drop(made("a"));
        let copy = Leftover::at(path("copy"));
        fs::create_dir(copy.path()).unwrap();
        fs::write(path("copy/gridwatch.db"), "b").unwrap();
        drop(copy);
        settle(vec![(made("c"), path("moved"))]).unwrap();
        let names = || fs::read_dir(folder.path()).unwrap().count();
        assert_eq!((names(), fs::read_to_string(path("moved")).unwrap()), (1, "c".to_owned()));
        // The second has no place to go: it and what follows are gone.
        let nowhere = path("nowhere").join("e");
        let files =
            vec![(made("d"), path("d2")), (made("e"), nowhere.clone()), (made("f"), path("f2"))];
        assert_eq!(settle(files).unwrap_err().0, nowhere);
        assert_eq!(names(), 2);
        assert!(lock().paths.iter().all(|own| !own.starts_with(folder.path())));
    }
}
