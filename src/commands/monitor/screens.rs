//! What `gridwatch monitor` has for people: the screens, and the figures as text.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use gridwatch::historian::snapshot::Snapshot;
use gridwatch::monitor::Monitor;
use gridwatch::terminal;

use super::super::{Common, Failure, Outcome};
use super::MonitorArgs;

/// The figures, and why stations fall short.
pub(super) fn text(common: &Common, snapshot: &Snapshot) -> String {
    terminal::text(snapshot, common.lang(), common.ascii)
}

/// The screens, until the user has seen enough.
pub(super) fn show(common: &Common, args: &MonitorArgs, monitor: &Monitor) -> Outcome {
    let quit = Arc::new(AtomicBool::new(false));
    #[cfg(unix)]
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&quit)).map_err(Failure::Output)?;
    }
    let simulate = format!("gridwatch simulate{}", args.config.written());
    let acknowledger = monitor.acknowledger();
    let acknowledge = move |raised| acknowledger.acknowledge(raised);
    let options = terminal::Options {
        lang: common.lang(),
        color: common.colors(),
        ascii: common.ascii,
        simulate,
    };
    match terminal::run(monitor.news(), acknowledge, options, quit) {
        Ok(_) => Ok(0),
        // The terminal is gone: so is the user.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        Err(error) => Err(Failure::Usage(format!("the terminal cannot be used: {error}"))),
    }
}
