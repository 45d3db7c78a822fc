//! The way from a command to the simulator that runs in another terminal: its control port.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use ::config::{Zone, plain};
use clap::Args;
use gridwatch::clock::Timestamp;
use serde_json::{Value, json};
use sim::control::{ControlRequest, LINE_BYTES_MAX};

use super::field::control_port;
use super::{Common, ConfigArg, EXIT_USAGE, Failure, Outcome, say, say_lines};

/// Longest wait for the simulator: it answers between two steps of its field.
const PATIENCE: Duration = Duration::from_secs(5);
/// A list of everything that may be active fits.
const REPLY_BYTES_MAX: u64 = 256 * LINE_BYTES_MAX;

/// Which simulator is meant, and how its answers are shown.
#[derive(Args)]
pub(super) struct Running {
    /// Answers as JSON, as the simulator gave them, and what is wrong as {"ok":false,"error":…}
    #[arg(long)]
    json: bool,
    /// Port on which the simulator listens [default: the one before the first station's]
    #[arg(long, value_name = "PORT")]
    control: Option<u16>,
    /// Province file of the simulator [default: the built-in province of Hòa Bình]
    #[arg(long, value_name = "CONFIG")]
    config: Option<PathBuf>,
    /// The simulator serves a fleet of N stations
    #[arg(long, value_name = "N", conflicts_with = "config")]
    fleet: Option<usize>,
}

impl Running {
    /// Sends a request and shows what came of it; `told` puts an answer in words.
    pub(super) fn ask(
        &self,
        common: &Common,
        request: &ControlRequest,
        told: impl Fn(&Value) -> String,
    ) -> Outcome {
        self.refused(self.try_to_ask(common, request, told))
    }

    /// What is wrong is said as JSON where answers are.
    pub(super) fn refused(&self, outcome: Outcome) -> Outcome {
        let error = match outcome {
            Err(Failure::Usage(message)) if self.json => message,
            Err(Failure::Contract(problems)) if self.json => problems.to_string(),
            outcome => return outcome,
        };
        say(json!({ "ok": false, "error": error }))?;
        Ok(EXIT_USAGE)
    }

    fn try_to_ask(
        &self,
        common: &Common,
        request: &ControlRequest,
        told: impl Fn(&Value) -> String,
    ) -> Outcome {
        let port = if let Some(port) = self.control {
            port
        } else {
            let meant = ConfigArg { config: self.config.clone(), fleet: self.fleet };
            let province = common.province(&meant)?;
            let message = "no port comes before the first station's: give --control PORT";
            control_port(&province).ok_or_else(|| Failure::Usage(message.to_owned()))?
        };
        let line = ask(port, request).map_err(|error| Failure::Usage(unheard(port, &error)))?;
        let mut reply: Value = serde_json::from_str(&line).map_err(|_| not_a_simulator(port))?;
        one_line_each(&mut reply);
        match reply["ok"].as_bool() {
            Some(true) if self.json => say(line.trim_end())?,
            Some(true) => say_lines(told(&reply).trim_end())?,
            Some(false) => {
                return Err(Failure::Usage(
                    reply["error"].as_str().unwrap_or("refused").to_owned(),
                ));
            }
            None => return Err(not_a_simulator(port)),
        }
        Ok(0)
    }
}

/// Makes one line of each text of an answer: names in it are those of a province.
fn one_line_each(value: &mut Value) {
    match value {
        Value::String(text) => *text = plain::line(text).into_owned(),
        Value::Array(all) => all.iter_mut().for_each(one_line_each),
        Value::Object(all) => all.values_mut().for_each(one_line_each),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// An instant of an answer in local time of the province; `otherwise` where there is none.
pub(super) fn local(reply: &Value, instant: &Value, otherwise: &str) -> String {
    let zone = match (reply["time_zone"].as_str(), reply["utc_offset_hours"].as_f64()) {
        (Some(name), _) => Zone::named(name),
        (None, hours) => hours.and_then(Zone::of_hours),
    };
    let at = instant.as_str().and_then(Timestamp::from_iso);
    let zone = zone.unwrap_or(Zone::UTC);
    at.map_or_else(|| otherwise.to_owned(), |at| at.local(zone).to_millisecond())
}

fn not_a_simulator(port: u16) -> Failure {
    Failure::Usage(format!("what listens on port {port} is no simulator: give --control PORT"))
}

/// Sends a request and waits for the line that answers it.
fn ask(port: u16, request: &ControlRequest) -> io::Result<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_string(request).map_err(io::Error::other)?;
    line.push('\n');
    stream.write_all(line.as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream.take(REPLY_BYTES_MAX)).read_line(&mut answer)?;
    if answer.ends_with('\n') { Ok(answer) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn unheard(port: u16, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => format!(
            "no simulator listens on port {port}; start one with 'gridwatch simulate', which says \
             its port (then --control PORT), or name its province with --config"
        ),
        _ => format!("the simulator on port {port} does not answer: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn instants_are_shown_by_the_local_time_that_an_answer_names() {
        for (zone, shown) in [
            (json!({ "utc_offset_hours": 7 }), "2022-07-01 17:00:00.250"),
            (json!({ "utc_offset_hours": -3.5 }), "2022-07-01 06:30:00.250"),
            (json!({ "time_zone": "Europe/Berlin" }), "2022-07-01 12:00:00.250"),
            (json!({}), "2022-07-01 10:00:00.250"),
        ] {
            assert_eq!(local(&zone, &json!("2022-07-01T10:00:00.250Z"), "-"), shown);
        }
        assert_eq!(local(&json!({}), &Value::Null, "-"), "-");
    }
}
