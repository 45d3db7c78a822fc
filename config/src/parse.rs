//! From texts to a province: its file is read, its datalists are found, and both are expanded.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::built_in::BAYS;
use crate::document::Document;
use crate::expand::expand;
use crate::problem::Problems;
use crate::province::{Origin, Province};
use crate::read::read_province;
use crate::template::read_templates;

/// Larger files are surely not a province.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// What to do when a file is none.
const NAME_ONE: &str = "name a province file such as config/small.toml";

/// Why the text of a file is not to be had. Its name is said by who wanted it.
#[derive(Debug, Error)]
pub(crate) enum FileError {
    #[error("cannot be read: {0}; {NAME_ONE}")]
    Unreadable(#[from] io::Error),
    #[error("is a folder; {NAME_ONE}")]
    Folder,
    #[error("is a pipe or a device, not a file; {NAME_ONE}")]
    NoFile,
    #[error("is larger than {FILE_BYTES_MAX} bytes; {NAME_ONE}")]
    TooLarge,
    #[error("is not UTF-8 at byte {at}; save it as UTF-8")]
    NotUtf8 { at: usize },
}

/// Why the province's own datalists are not to be had.
#[derive(Debug, Error)]
enum TemplatesError {
    #[error("folder of bay templates '{}' cannot be read: {error}", folder.display())]
    Folder { folder: PathBuf, error: io::Error },
    #[error("'{file}' {error}")]
    File { file: String, error: FileError },
}

/// The text of a file that somebody named.
pub(crate) fn read_text(path: &Path) -> Result<String, FileError> {
    // Looked at before it is opened: a pipe would block for as long as nobody writes to it.
    let found = std::fs::metadata(path)?;
    if found.is_dir() {
        return Err(FileError::Folder);
    }
    if !found.is_file() {
        return Err(FileError::NoFile);
    }
    let file = std::fs::File::open(path)?;
    let mut bytes = Vec::new();
    // What the system says of the length is not to be trusted: files of its own have none.
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(FileError::TooLarge);
    }
    String::from_utf8(bytes)
        .map_err(|error| FileError::NotUtf8 { at: error.utf8_error().valid_up_to() })
}

/// Where the datalists of a province come from.
#[derive(Clone, Copy)]
pub(crate) enum Templates<'a> {
    /// Those of the program, and those of a folder that the file names: beside it, where it has a
    /// place.
    BuiltInAndOwn(Option<&'a Path>),
    /// Files and texts.
    These(&'a [(String, String)]),
}

/// Reads a province from a text.
pub(crate) fn parse(
    file: &str,
    text: &str,
    templates: Templates<'_>,
) -> Result<Province, Problems> {
    let dir = match templates {
        Templates::BuiltInAndOwn(dir) => dir,
        Templates::These(_) => None,
    };
    let doc = Document::new(file, text);
    let root = doc.parse()?;
    let fields = doc.root(&root);
    let own_bays = fields.optional("bays").and_then(|n| n.text().map(|text| n.placed(text)));
    let draft = read_province(&fields, dir.unwrap_or(Path::new("")));
    fields.finish();
    let built_in = || BAYS.iter().map(|(f, text)| ((*f).into(), (*text).into()));
    let mut files: Vec<(String, String)> = match templates {
        Templates::BuiltInAndOwn(_) => built_in().collect(),
        Templates::These(files) => files.to_vec(),
    };
    if let (Some(folder), Templates::BuiltInAndOwn(_)) = (own_bays, templates) {
        match own_templates(dir.unwrap_or(Path::new(".")), &folder.value) {
            Ok(mut own) => files.append(&mut own),
            Err(error) => doc.note(folder.place.offset, &folder.place.key, error.to_string()),
        }
    }
    match read_templates(&files) {
        Ok(templates) => {
            let (file, text) = (file.to_owned(), text.to_owned());
            let origin = Arc::new(Origin::Texts { file, text, templates: files });
            expand(&doc, draft, templates, origin)
        }
        Err(mut problems) => {
            problems.0.append(&mut doc.take_problems().0);
            Err(problems)
        }
    }
}

/// The province's own datalists: every `.toml` of a folder, in the order of their names.
fn own_templates(dir: &Path, folder: &str) -> Result<Vec<(String, String)>, TemplatesError> {
    let folder = dir.join(folder);
    let listing = match std::fs::read_dir(&folder) {
        Ok(listing) => listing,
        Err(error) => return Err(TemplatesError::Folder { folder, error }),
    };
    let mut paths: Vec<_> = listing
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let file = path.display().to_string();
            match read_text(&path) {
                Ok(text) => Ok((file, text)),
                Err(error) => Err(TemplatesError::File { file, error }),
            }
        })
        .collect()
}
