//! A disk as it may be after the power was lost: what was synced is there, of the rest any part.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rand::RngExt as _;
use rand_xoshiro::Xoshiro256PlusPlus;
use tempfile::{TempDir, tempdir};

use crate::layer::{Noted, Operation};

/// What a disk writes as a whole.
const SECTOR: usize = 512;

/// Files by their names within the folder. What is shared in memory is never among them.
pub(crate) type Image = BTreeMap<String, Vec<u8>>;

/// Puts files into a folder of their own.
pub(crate) fn folder(image: &Image) -> TempDir {
    let folder = tempdir().unwrap();
    put(image, folder.path());
    folder
}

fn put(image: &Image, folder: &Path) {
    for (name, bytes) in image {
        fs::write(folder.join(name), bytes).unwrap();
    }
}

/// What became of the sectors that were not synced.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Lost {
    pub(crate) dropped: usize,
    pub(crate) kept: usize,
}

/// A file, whatever its name is: what is on the disk for sure, and what was done to it since.
#[derive(Default)]
struct File {
    safe: Vec<u8>,
    open: Vec<Operation>,
}

/// Files after some operations.
pub(crate) struct Disk {
    files: Vec<File>,
    /// Which file each name stands for: first on the disk for sure, then whenever that changed since.
    names: BTreeMap<String, Vec<Option<usize>>>,
    /// Syncing does nothing, as with a disk that says it has written what it has not.
    lies: bool,
}

impl Disk {
    /// A disk that has these files for sure.
    pub(crate) fn new(image: &Image, lies: bool) -> Self {
        let files = image.values().map(|safe| File { safe: safe.clone(), open: Vec::new() });
        let names = image.keys().enumerate().map(|(n, name)| (name.clone(), vec![Some(n)]));
        Self { files: files.collect(), names: names.collect(), lies }
    }

    /// Does what was done.
    pub(crate) fn go_on(&mut self, operations: &[Noted]) {
        for (name, operation) in operations {
            let is = self.names.get(name).and_then(|files| files.last().copied().flatten());
            match (operation, is) {
                (Operation::Made, _) => {
                    self.name(name, Some(self.files.len()));
                    self.files.push(File::default());
                }
                (Operation::Written(..) | Operation::Cut(_), Some(file)) => {
                    self.files[file].open.push(operation.clone());
                }
                (Operation::Synced { names }, Some(file)) => {
                    if !self.lies {
                        let File { safe, open } = &mut self.files[file];
                        open.drain(..).for_each(|operation| apply(safe, &operation));
                    }
                    if *names {
                        self.settle();
                    }
                }
                (Operation::Deleted { synced }, _) => {
                    self.name(name, None);
                    if *synced {
                        self.settle();
                    }
                }
                // Done to a file that has no name any more.
                (_, None) => {}
            }
        }
    }

    fn name(&mut self, name: &str, file: Option<usize>) {
        self.names.entry(name.to_owned()).or_insert_with(|| vec![None]).push(file);
    }

    /// All names are on the disk as they are.
    fn settle(&mut self) {
        for files in self.names.values_mut() {
            files.drain(..files.len() - 1);
        }
    }

    /// What is there when the power is lost now, with chance for all that was not synced.
    pub(crate) fn lose(&self, chance: &mut Xoshiro256PlusPlus) -> (Image, Lost) {
        let (mut image, mut lost) = (Image::new(), Lost::default());
        // Now and then nothing of it, or all, or nearly so.
        let likely = [0.0, 0.1, 0.5, 0.9, 1.0][chance.random_range(0..5)];
        for (name, files) in &self.names {
            let mut file = files[files.len() - 1];
            if !chance.random_bool(likely) {
                file = files[chance.random_range(0..files.len())];
            }
            if let Some(file) = file {
                let bytes = self.files[file].lose(likely, chance, &mut lost);
                image.insert(name.clone(), bytes);
            }
        }
        (image, lost)
    }
}

impl File {
    fn lose(&self, likely: f64, chance: &mut Xoshiro256PlusPlus, lost: &mut Lost) -> Vec<u8> {
        let mut bytes = self.safe.clone();
        // Its length is one that it had since: that is kept apart from what is in it.
        let mut lengths = vec![bytes.len()];
        for operation in &self.open {
            let last = lengths[lengths.len() - 1];
            lengths.push(match operation {
                Operation::Written(at, data) => last.max(at + data.len()),
                Operation::Cut(length) => *length,
                _ => last,
            });
        }
        let mut length = lengths[lengths.len() - 1];
        if !chance.random_bool(likely) {
            length = lengths[chance.random_range(0..lengths.len())];
        }
        for operation in &self.open {
            for piece in pieces(operation) {
                let keeps = chance.random_bool(likely);
                *(if keeps { &mut lost.kept } else { &mut lost.dropped }) += 1;
                if keeps {
                    apply(&mut bytes, &piece);
                } else if let Operation::Written(at, data) = piece
                    && bytes.len() < at + data.len()
                {
                    let from = bytes.len().max(at);
                    bytes.resize(at + data.len(), 0);
                    if chance.random_bool(0.2) {
                        // What was on the disk there before.
                        bytes[from..].fill_with(|| chance.random());
                    }
                }
            }
        }
        bytes.resize(length, 0);
        bytes
    }
}

/// An operation sector by sector.
fn pieces(operation: &Operation) -> Vec<Operation> {
    let Operation::Written(at, data) = operation else { return vec![operation.clone()] };
    let (mut all, mut done) = (Vec::new(), 0);
    while done < data.len() {
        let from = at + done;
        let count = (SECTOR - from % SECTOR).min(data.len() - done);
        all.push(Operation::Written(from, data[done..done + count].to_vec()));
        done += count;
    }
    all
}

fn apply(bytes: &mut Vec<u8>, operation: &Operation) {
    match operation {
        Operation::Written(at, data) => {
            let end = at + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*at..end].copy_from_slice(data);
        }
        Operation::Cut(length) => bytes.resize(*length, 0),
        Operation::Made | Operation::Synced { .. } | Operation::Deleted { .. } => {}
    }
}
