//! `gridwatch inject`: let something go wrong in a running simulator, and see the truth of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ::config::Lang;
use clap::Args;
use serde_json::Value;
use sim::control::ControlRequest;
use sim::faults::{FAULTS, FaultKind, FaultSpec, Takes, duration_ms};

use super::simulator::{Running, local};
use super::{Common, Failure, Outcome, say_lines};

#[derive(Args)]
#[command(after_help = "\
Examples:
  gridwatch inject --kinds                              every fault with its parameters
  gridwatch inject T08 HB03.110.171.P --for 10m         a frozen value, for ten minutes
  gridwatch inject T11 HB03.110.171.P --set factor=1000 a wrong scale, until it is cleared
  gridwatch inject T01 HB03 --centre A1                 the channel of one centre
  gridwatch inject late 'HB03/unit 2' --set ms=2000     late replies of one unit
  gridwatch inject T09 'HB0?.22.47*.P'                  every feeder that fits
  gridwatch inject --list                               what is active
  gridwatch inject --clear 3                            end fault 3
  gridwatch inject --truth HB03.110.171.P               what is true, and what each centre gets

A target is a station (HB03), a unit (HB03/unit 2), a bay (HB03.110.171), a point
(HB03.110.171.P) or a pattern of these. The simulator runs in another terminal: 'gridwatch
simulate' or 'gridwatch demo'. docs/faults.md says what each fault does.")]
pub(super) struct InjectArgs {
    /// The fault: its id (T08) or its word (frozen)
    #[arg(value_name = "FAULT", requires = "target", conflicts_with_all = ["list", "clear", "truth"])]
    kind: Option<String>,
    /// Station, unit, bay, point or pattern
    #[arg(value_name = "TARGET")]
    target: Option<String>,
    /// How long, such as 90s, 10m or 1h30m; without it until it is cleared
    #[arg(long = "for", value_name = "TIME", requires = "kind")]
    lasting: Option<String>,
    /// At this centre only
    #[arg(long, value_name = "ID", requires = "kind")]
    centre: Option<String>,
    /// A parameter of the fault; may be given more than once
    #[arg(long, value_name = "NAME=VALUE", requires = "kind")]
    set: Vec<String>,
    /// What is active
    #[arg(long, conflicts_with_all = ["clear", "truth"])]
    list: bool,
    /// End a fault
    #[arg(long, value_name = "FAULT NUMBER", conflicts_with = "truth")]
    clear: Option<u32>,
    /// The true value of a point beside what each centre gets
    #[arg(long, value_name = "POINT")]
    truth: Option<String>,
    /// Every fault that there is, with its parameters
    #[arg(long, conflicts_with_all = ["kind", "list", "clear", "truth"])]
    kinds: bool,
    #[command(flatten)]
    running: Running,
}

pub(super) fn run(common: &Common, args: &InjectArgs) -> Outcome {
    if args.kinds {
        say_lines(kinds(common.lang()).trim_end())?;
        return Ok(0);
    }
    let request = match request(args) {
        Ok(request) => request,
        Err(failure) => return args.running.refused(Err(failure)),
    };
    args.running.ask(common, &request, |reply| told(&request, reply))
}

/// The request that the arguments stand for; what can be known to be wrong is said here.
fn request(args: &InjectArgs) -> Result<ControlRequest, Failure> {
    if args.list {
        return Ok(ControlRequest::List {});
    }
    if let Some(fault) = args.clear {
        return Ok(ControlRequest::Clear { fault });
    }
    if let Some(point) = &args.truth {
        return Ok(ControlRequest::Truth { point: point.clone() });
    }
    let (Some(kind), Some(target)) = (&args.kind, &args.target) else {
        let message = "say which fault and where, such as 'gridwatch inject T08 HB03.110.171.P', \
                       or one of --list, --clear, --truth, --kinds";
        return Err(Failure::Usage(message.to_owned()));
    };
    FaultKind::parse(kind).map_err(|error| Failure::Usage(error.to_string()))?;
    if let Some(lasting) = &args.lasting {
        duration_ms(lasting).map_err(|error| Failure::Usage(format!("--for: {error}")))?;
    }
    let mut params = BTreeMap::new();
    for written in &args.set {
        let Some((name, value)) = written.split_once('=') else {
            let message = format!("--set: '{written}' is not of the form name=value");
            return Err(Failure::Usage(message));
        };
        params.insert(name.trim().to_owned(), Value::String(value.trim().to_owned()));
    }
    Ok(ControlRequest::Inject {
        kind: kind.clone(),
        target: target.clone(),
        centre: args.centre.clone(),
        lasting: args.lasting.clone(),
        params,
    })
}

/// An answer in words.
fn told(request: &ControlRequest, reply: &Value) -> String {
    match request {
        ControlRequest::Inject { kind, target, centre, lasting, .. } => {
            let number = &reply["fault"];
            let name = FaultKind::parse(kind).map_or("", |kind| kind.spec().name(Lang::En));
            let until = match lasting {
                Some(lasting) => format!("for {lasting}"),
                None => format!("until 'gridwatch inject --clear {number}'"),
            };
            let at = centre.as_ref().map_or_else(String::new, |id| format!(", as {id} sees it"));
            format!("fault {number}: {name} at {target}{at}, {until}")
        }
        ControlRequest::Clear { fault } => format!("fault {fault} is cleared"),
        ControlRequest::List {} => listed(reply),
        ControlRequest::Truth { .. } => truth(reply),
        // What else can be asked is asked by other commands.
        _ => String::new(),
    }
}

fn listed(reply: &Value) -> String {
    let faults = reply["faults"].as_array().map_or(&[][..], Vec::as_slice);
    if faults.is_empty() {
        return "no fault is active".to_owned();
    }
    let mut text = String::new();
    for fault in faults {
        let word = |key: &str| fault[key].as_str().unwrap_or("-").to_owned();
        // Writing to a text cannot fail.
        let _ = writeln!(
            text,
            "{:>5}  {:<4} {:<36} {:<28} {:>6} points  from {}  until {}",
            fault["id"].to_string(),
            word("kind"),
            word("name"),
            word("target"),
            fault["points"].to_string(),
            local(reply, &fault["from"], "-"),
            local(reply, &fault["until"], "-")
        );
    }
    text
}

fn truth(reply: &Value) -> String {
    let number = |value: &Value| {
        value
            .as_f64()
            .map_or_else(|| "no value".to_owned(), |x| format!("{}", (x * 1e6).round() / 1e6))
    };
    let unit = reply["unit"].as_str().unwrap_or_default();
    let mut text = format!(
        "{}\n  {:<8} {} {unit}\n",
        reply["point"].as_str().unwrap_or_default(),
        "true",
        number(&reply["true"])
    );
    for sent in reply["sent"].as_array().map_or(&[][..], Vec::as_slice) {
        let faults: Vec<String> = sent["faults"]
            .as_array()
            .map_or(&[][..], Vec::as_slice)
            .iter()
            .map(ToString::to_string)
            .collect();
        let why = match faults.len() {
            0 => String::new(),
            1 => format!("  by fault {}", faults[0]),
            _ => format!("  by faults {}", faults.join(", ")),
        };
        let _ = writeln!(
            text,
            "  {:<8} {} {unit} {}{why}",
            sent["centre"].as_str().unwrap_or_default(),
            number(&sent["value"]),
            sent["flags"].as_str().unwrap_or_default()
        );
    }
    text
}

/// The table of faults.
fn kinds(lang: Lang) -> String {
    let mut text = String::new();
    for spec in FAULTS {
        let FaultSpec { id, word, applies_to, .. } = spec;
        let _ = writeln!(text, "{id}  {word:<18} {}\n     at {applies_to}", spec.name(lang));
        for parameter in spec.parameters {
            let takes = match parameter.takes {
                Takes::Number { default, low, high } if default.is_finite() => {
                    format!("{low} to {high}, {default} unless said")
                }
                Takes::Number { low, high, .. } => format!("{low} to {high}"),
                Takes::Word(words) => words.join(" | "),
            };
            let _ = writeln!(text, "     --set {}=…  {} ({takes})", parameter.name, parameter.what);
        }
    }
    text
}
