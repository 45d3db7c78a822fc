//! `gridwatch certificates`: a private authority and what it has signed, to try Modbus/TCP Security
//! with.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use ::config::{Date, Province, Zone};
use clap::Args;
use gridwatch::clock::Clock;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};

use super::{Failure, Outcome, say_lines};

/// Where a certificate has the role of who shows it.
const ROLE: [u64; 9] = [1, 3, 6, 1, 4, 1, 50_316, 802, 1];
/// Tag of a text in UTF-8.
const UTF8_STRING: u8 = 0x0C;
/// How long certificates are good, days.
const VALID_DAYS: i64 = 5 * 365;

#[derive(Args)]
#[command(after_help = "\
Examples:
  gridwatch certificates certs                                    for the built-in province
  gridwatch certificates config/certs --config config/small.toml  for its hosts and centres
  openssl x509 -in certs/operator.pem -noout -text                what stands in one

Makes an authority (ca), a certificate for the simulated stations, one for each centre with the
role Viewer, and one with the role Operator for clients that command. They are for tests and
laboratories: the authority's key lies beside them. docs/security.md says more.")]
pub(super) struct CertificatesArgs {
    /// Folder to write to; made when it is not there, and no file of it is overwritten
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Province file whose hosts and centres are meant [default: the built-in province]
    #[arg(long, value_name = "CONFIG")]
    config: Option<PathBuf>,
}

pub(super) fn run(args: &CertificatesArgs) -> Outcome {
    let province = match &args.config {
        Some(path) => Province::load(path)?,
        None => Province::built_in(),
    };
    let dir = args.dir.display();
    let today = Clock::system().now().local_day(Zone::UTC);
    let set = made(&province, today)
        .map_err(|error| Failure::Usage(format!("certificates cannot be made: {error}")))?;
    write_all(&args.dir, &set).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::Usage(format!(
            "'{dir}' has certificates already ({error}); name another folder, or remove them"
        )),
        _ => Failure::Usage(format!("'{dir}' cannot be written to: {error}")),
    })?;
    tell(args, &province)
}

/// A file to be.
struct PemFile {
    name: String,
    text: String,
    secret: bool,
}

/// Everything that a province needs.
fn made(province: &Province, today: i64) -> Result<Vec<PemFile>, rcgen::Error> {
    let mut set = Vec::new();
    let mut params = named(&format!("gridwatch laboratory, {}", province.name.en), &[], today)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    add(&mut set, "ca", &params.self_signed(&key)?, &key);
    let authority = Issuer::new(params, key);

    let mut params = named("stations", &hosts(province), today)?;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    sign(&mut set, "station", &params, &authority)?;
    for centre in &province.centres {
        let params = with_role(&centre.id, "Viewer", today)?;
        sign(&mut set, &format!("centre-{}", centre.id), &params, &authority)?;
    }
    sign(&mut set, "operator", &with_role("operator", "Operator", today)?, &authority)?;
    Ok(set)
}

/// Names by which simulated stations are reached.
fn hosts(province: &Province) -> Vec<String> {
    let own = province.channels.iter().filter(|channel| !channel.pinned_address);
    let own = own.map(|channel| channel.host.clone());
    let mut hosts: Vec<String> =
        ["localhost", "127.0.0.1"].into_iter().map(str::to_owned).chain(own).collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

fn named(name: &str, hosts: &[String], today: i64) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    // Clocks differ a little.
    let begins = |day| {
        let Date { year, month, day } = Date::of_day(day);
        date_time_ymd(year.into(), month, day)
    };
    params.not_before = begins(today - 1);
    params.not_after = begins(today + VALID_DAYS);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    Ok(params)
}

fn with_role(name: &str, role: &str, today: i64) -> Result<CertificateParams, rcgen::Error> {
    let mut params = named(name, &[], today)?;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    // The roles made here are short.
    let length = u8::try_from(role.len()).unwrap_or(0);
    let text = [&[UTF8_STRING, length], role.as_bytes()].concat();
    params.custom_extensions = vec![CustomExtension::from_oid_content(&ROLE, text)];
    Ok(params)
}

fn sign(
    set: &mut Vec<PemFile>,
    name: &str,
    params: &CertificateParams,
    authority: &Issuer<'_, KeyPair>,
) -> Result<(), rcgen::Error> {
    let key = KeyPair::generate()?;
    add(set, name, &params.signed_by(&key, authority)?, &key);
    Ok(())
}

fn add(set: &mut Vec<PemFile>, name: &str, certificate: &rcgen::Certificate, key: &KeyPair) {
    let (name, text) = (name.to_owned(), certificate.pem());
    set.push(PemFile { name: format!("{name}.pem"), text, secret: false });
    set.push(PemFile { name: format!("{name}.key"), text: key.serialize_pem(), secret: true });
}

/// Writes a set, or nothing when one of its files is there.
fn write_all(dir: &Path, set: &[PemFile]) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    if let Some(file) = set.iter().find(|file| dir.join(&file.name).exists()) {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, file.name.clone()));
    }
    for file in set {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(
            &mut options,
            if file.secret { 0o600 } else { 0o644 },
        );
        options.open(dir.join(&file.name))?.write_all(file.text.as_bytes())?;
    }
    Ok(())
}

/// Says what was made, and the table that uses it.
fn tell(args: &CertificatesArgs, province: &Province) -> Outcome {
    let dir = from_province_file(&args.dir, args.config.as_deref());
    let path = |name: &str| quoted(&dir.join(name).display().to_string());
    let pair = |name: &str| {
        format!("[{}, {}]", path(&format!("{name}.pem")), path(&format!("{name}.key")))
    };
    let ids = province.centres.iter().map(|centre| &centre.id);
    let centres: Vec<String> =
        ids.map(|id| format!("{id} = {}", pair(&format!("centre-{id}")))).collect();
    say_lines(format_args!(
        "# Certificates in '{}': for tests and laboratories, good for five years.\n\
         # Put this into the province file; paths there are relative to it.\n\
         [link.tls]\n\
         authority = {}\n\
         station = {}\n\
         centres = {{ {} }}\n\
         may_read = [\"Viewer\", \"Operator\"]\n\
         may_write = [\"Operator\"]",
        args.dir.display(),
        path("ca.pem"),
        pair("station"),
        centres.join(", ")
    ))?;
    Ok(0)
}

/// A text as TOML writes it: letters of every language stay as they are.
fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// A folder as the province file would name it: relative to it when it lies beside or below it.
fn from_province_file(dir: &Path, config: Option<&Path>) -> PathBuf {
    let Ok(dir) = dir.canonicalize() else { return dir.to_owned() };
    let file = config.and_then(|path| path.canonicalize().ok());
    let within = file.as_ref().and_then(|file| dir.strip_prefix(file.parent()?).ok());
    within.map_or_else(|| dir.clone(), Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_so_that_a_province_file_has_it_back() {
        assert_eq!(quoted("/khoá/\u{301}a b"), "\"/khoá/\u{301}a b\"");
        assert_eq!(quoted("C:\\certs\\\"x\"\n"), r#""C:\\certs\\\"x\"\u000A""#);
    }
}
