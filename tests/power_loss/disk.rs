//! A disk as it may be after the power was lost: what was synced is there, of the rest any part.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rand::RngExt as _;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::layer::Deed;

/// What a disk writes as a whole.
const SECTOR: usize = 512;

/// What became of the sectors that were not synced.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Lost {
    pub(crate) dropped: usize,
    pub(crate) kept: usize,
}

/// A file: what is on the disk for sure, and what was done to it since.
#[derive(Default)]
struct File {
    safe: Vec<u8>,
    open: Vec<Deed>,
    /// Its name is on the disk.
    named: bool,
    /// Its name was taken away, which is not on the disk yet.
    unnamed: bool,
}

/// Files after some deeds.
pub(crate) struct Disk {
    files: BTreeMap<PathBuf, File>,
}

impl Disk {
    /// What is on the disk after these deeds. With `lies`, syncing does nothing, as with a disk that says it
    /// has written what it has not.
    pub(crate) fn after(deeds: &[(PathBuf, Deed)], lies: bool) -> Self {
        let mut files: BTreeMap<PathBuf, File> = BTreeMap::new();
        for (path, deed) in deeds {
            let file = files.entry(path.clone()).or_default();
            match deed {
                Deed::Opened => file.unnamed = false,
                Deed::Written(..) | Deed::Cut(_) => file.open.push(deed.clone()),
                Deed::Synced if lies => {}
                Deed::Synced => {
                    for deed in std::mem::take(&mut file.open) {
                        apply(&mut file.safe, &deed, |_| true);
                    }
                    // A log that is new syncs its folder, and so all names in it, with its first sync.
                    if path.to_string_lossy().ends_with("-wal") {
                        files.retain(|_, file| !file.unnamed);
                        for file in files.values_mut() {
                            file.named = true;
                        }
                    }
                }
                Deed::Deleted { synced: true } if !lies => {
                    files.remove(path);
                }
                Deed::Deleted { .. } => file.unnamed = true,
            }
        }
        Self { files }
    }

    /// Puts the files into a folder, with chance for all that was not synced.
    pub(crate) fn put(self, folder: &Path, chance: &mut Xoshiro256PlusPlus) -> Lost {
        let mut lost = Lost::default();
        // Now and then nothing of it, or all, or nearly so.
        let likely = [0.0, 0.1, 0.5, 0.9, 1.0][chance.random_range(0..5)];
        for (path, mut file) in self.files {
            let is_there = file.named || chance.random_bool(likely);
            if !is_there || (file.unnamed && chance.random_bool(0.5)) {
                continue;
            }
            for deed in std::mem::take(&mut file.open) {
                apply(&mut file.safe, &deed, |garbage| {
                    let keeps = chance.random_bool(likely);
                    *(if keeps { &mut lost.kept } else { &mut lost.dropped }) += 1;
                    if !keeps && chance.random_bool(0.2) {
                        // What was on the disk there before.
                        garbage.fill_with(|| chance.random());
                    }
                    keeps
                });
            }
            fs::write(folder.join(path.file_name().unwrap()), file.safe).unwrap();
        }
        lost
    }
}

/// Does a deed, sector by sector where `keeps` says so. It is handed the bytes of the sector that are new to
/// the file, which hold nothing yet.
fn apply(bytes: &mut Vec<u8>, deed: &Deed, mut keeps: impl FnMut(&mut [u8]) -> bool) {
    match deed {
        Deed::Written(at, data) => {
            let mut done = 0;
            while done < data.len() {
                let from = at + done;
                let count = (SECTOR - from % SECTOR).min(data.len() - done);
                let before = bytes.len();
                if before < from + count {
                    bytes.resize(from + count, 0);
                }
                let new = before.clamp(from, from + count);
                if keeps(&mut bytes[new..from + count]) {
                    bytes[from..from + count].copy_from_slice(&data[done..done + count]);
                }
                done += count;
            }
        }
        Deed::Cut(length) => {
            if keeps(&mut []) {
                bytes.resize(*length, 0);
            }
        }
        Deed::Opened | Deed::Synced | Deed::Deleted { .. } => {}
    }
}
