//! What is wrong with a file: where, what, what is allowed, and the nearest valid name.

use std::fmt;

use crate::plain::line;

/// One thing that is wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file as it was named to us.
    pub file: String,
    /// Line in the file, counted from 1; 0 when the file as a whole is meant.
    pub line: usize,
    /// Key path, such as `stations[2].bays.L110[0]`; empty when the file as a whole is meant.
    pub key: String,
    /// What is wrong, with the offending value in single quotes, and the way out.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Each is one line, whatever names it has.
        write!(f, "{}", line(&self.file))?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", line(&self.key))?;
        }
        write!(f, ": {}", line(&self.message))
    }
}

/// Everything that is wrong, in the order of the file: an engineer mends a file in one go.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// One problem with a file as a whole.
    pub fn of_file(file: &str, message: impl Into<String>) -> Self {
        let (file, key) = (file.to_owned(), String::new());
        Self(vec![Problem { file, line: 0, key, message: message.into() }])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.0.iter().enumerate() {
            if n > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

/// The part of a message that helps: ` (did you mean 'x'?)` when a valid name is near, otherwise
/// what is allowed, as long as that is short enough to read.
pub fn way_out<'a>(wrong: &str, valid: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN_MAX: usize = 12;
    let valid: Vec<&str> = valid.into_iter().collect();
    let nearest = valid
        .iter()
        .map(|name| {
            (strsim::damerau_levenshtein(&wrong.to_lowercase(), &name.to_lowercase()), name)
        })
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, name)| *distance <= 1 + name.chars().count() / 3);
    match nearest {
        Some((_, name)) => format!("did you mean '{name}'?"),
        None if valid.is_empty() => "none is defined".to_owned(),
        None if valid.len() <= SHOWN_MAX => format!("allowed: {}", valid.join(", ")),
        None => format!("allowed: {}, … ({} in all)", valid[..SHOWN_MAX].join(", "), valid.len()),
    }
}
