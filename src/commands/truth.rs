//! Where the truth log goes, and whether all of it got there: a monitor that is held against half of the
//! truth is held against nothing.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::Failure;

/// The truth log of a simulation, for who wants to know how it went.
#[derive(Default)]
pub(super) struct Truth(Option<(PathBuf, Arc<Mutex<Log>>)>);

struct Log {
    file: File,
    /// The first write that failed.
    failed: Option<io::Error>,
}

/// The end of the log that the simulation writes to.
struct End(Arc<Mutex<Log>>);

impl Truth {
    /// Begins a log. The other end is for the simulation.
    pub(super) fn begin(path: &Path) -> Result<(Self, Box<dyn Write + Send>), Failure> {
        let file = File::create(path).map_err(|error| unwritten(path, &error))?;
        let log = Arc::new(Mutex::new(Log { file, failed: None }));
        let end = Box::new(End(Arc::clone(&log)));
        Ok((Self(Some((path.to_owned(), log))), end))
    }

    /// Whether all of it was written.
    pub(super) fn end(self) -> Result<(), Failure> {
        let Some((path, log)) = self.0 else { return Ok(()) };
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = log.failed.take() {
            return Err(unwritten(&path, &error));
        }
        // Some systems say only here that there was no room. Pipes and devices have nothing to sync.
        let is_file = log.file.metadata().is_ok_and(|found| found.is_file());
        let synced = if is_file { log.file.sync_all() } else { Ok(()) };
        synced.map_err(|error| unwritten(&path, &error))
    }
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    Failure::Usage(format!("truth log '{}' cannot be written: {error}", path.display()))
}

impl Write for End {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = log.file.write(bytes);
        if let Err(error) = &written
            && error.kind() != io::ErrorKind::Interrupted
            && log.failed.is_none()
        {
            log.failed = Some(io::Error::new(error.kind(), error.to_string()));
        }
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_took_all_ends_well_and_one_that_did_not_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.jsonl");
        let (truth, mut end) = Truth::begin(&path).ok().unwrap();
        end.write_all(b"{}\n").unwrap();
        assert!(truth.end().is_ok());
        assert_eq!(std::fs::read(path).unwrap(), b"{}\n");
        assert!(Truth::default().end().is_ok());
        if cfg!(target_os = "linux") {
            let (truth, mut end) = Truth::begin(Path::new("/dev/full")).ok().unwrap();
            assert!(end.write_all(b"{}\n").is_err());
            let Err(Failure::Usage(said)) = truth.end() else { panic!("nobody noticed") };
            assert!(said.contains("/dev/full"), "{said}");
        }
    }
}
