//! Faults and actions by hand while the field runs: a desk inside the process, and a port for
//! `gridwatch inject` and `gridwatch plant`.
//!
//! The port speaks JSON, one object a line each way. Requests:
//!
//! | request | answer |
//! |---|---|
//! | `{"do":"inject","kind":"T08","target":"HB03.110.171.P","for":"10m"}` | `{"ok":true,"fault":3}` |
//! | `{"do":"clear","fault":3}` | `{"ok":true}` |
//! | `{"do":"list"}` | `{"ok":true,"faults":[…]}` |
//! | `{"do":"truth","point":"HB03.110.171.P"}` | `{"ok":true,"point":…,"true":…,"sent":[…]}` |
//! | `{"do":"strike","bay":"HB04.22.473","lasting":true}` | `{"ok":true,"at":"2022-11-23T07:32:07.240Z"}` |
//! | `{"do":"set","point":"HB04.22.471.CB.RL","code":0}` | the same |
//! | `{"do":"dip","hertz":1.2,"for":"20s"}` | the same |
//! | `{"do":"outages"}` | `{"ok":true,"customers":…,"saidi_minutes":…,"interruptions":[…]}` |
//!
//! `inject` takes `centre` and `params` (an object) too; `strike` takes `phase` (A, B, C), `earth`
//! (otherwise between phases) and `share` (0 to 1 of the line from the bay on); a `code` may be a
//! word of the point's states. Instants are UTC; each answer has `utc_offset_hours`, how far local time
//! is ahead, or where clocks are set `time_zone`, by whose rules it is. What cannot be done is answered with
//! `{"ok":false,"error":"…"}`. Lines are bounded in length, clients in number and in patience.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use config::{ChannelId, Province, Zone, utc_text};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::faults::{ActiveFault, FaultKind, FaultSettings, Injection, SettingError, UnknownFault};
use crate::field::{Field, OrderError};
use crate::orders::{ActionError, PlantAction, phase};
use crate::plant::outages::Interruptions;
use crate::plant::short_circuit::ShortCircuit;
use crate::target::{TargetError, one_point};
use crate::telemetry::image::Refusal;
use crate::times::{NoSpan, duration_ms};

/// Longest line that is read.
pub const LINE_BYTES_MAX: u64 = 16 * 1024;
/// Clients at once.
const CLIENTS_MAX: usize = 8;
/// Orders that may wait for the field.
const ORDERS_MAX: usize = 64;
/// A client that says nothing for so long is let go.
const IDLE: Duration = Duration::from_secs(60);
/// Pause after the system refused a connection, for want of files say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// What is wanted of the field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase", deny_unknown_fields)]
pub enum ControlRequest {
    /// Start a fault.
    Inject {
        /// Id or word of its kind.
        kind: String,
        /// Station, unit, bay, point or pattern.
        target: String,
        /// At one centre only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        centre: Option<String>,
        /// How long, such as `10m`; until it is cleared without.
        #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
        lasting: Option<String>,
        /// Its parameters; numbers or texts.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        params: BTreeMap<String, serde_json::Value>,
    },
    /// End a fault.
    Clear {
        /// Its number.
        fault: u32,
    },
    /// What is active.
    List {},
    /// The true value of a point beside what each centre gets.
    Truth {
        /// Point id.
        point: String,
    },
    /// A short circuit in the plant.
    Strike {
        /// Bay of a line, a feeder or a transformer.
        bay: String,
        /// It is still there when the breaker closes again.
        #[serde(default)]
        lasting: bool,
        /// Phase that is hit.
        #[serde(default = "first_phase")]
        phase: String,
        /// To earth, otherwise between phases.
        #[serde(default = "to_earth")]
        earth: bool,
        /// Where on a line, as a share of its length from the bay.
        #[serde(default = "half_way")]
        share: f64,
    },
    /// A status as the plant has it.
    Set {
        /// Point id.
        point: String,
        /// Its number, or a word of its states.
        code: serde_json::Value,
    },
    /// The frequency of the grid falls.
    Dip {
        /// By so much.
        hertz: f64,
        /// How long, such as `20s`.
        #[serde(rename = "for")]
        lasting: String,
    },
    /// Who was without supply since the start.
    Outages {},
}

fn first_phase() -> String {
    "A".to_owned()
}

fn to_earth() -> bool {
    true
}

fn half_way() -> f64 {
    0.5
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ControlReply {
    /// A fault was started.
    Injected {
        /// Done.
        ok: bool,
        /// Its number.
        fault: u32,
    },
    /// Done.
    Done {
        /// Done.
        ok: bool,
    },
    /// What is active.
    Listed {
        /// Done.
        ok: bool,
        /// Oldest first.
        faults: Vec<ActiveFault>,
    },
    /// The truth of a point.
    Truth(PointTruth),
    /// Something was done to the plant.
    Happened {
        /// Done.
        ok: bool,
        /// When, UTC.
        at: String,
    },
    /// Who was without supply.
    Interruptions(Interruptions),
}

/// Why a request is not done.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum RequestError {
    /// The fault is none.
    #[error(transparent)]
    Fault(#[from] UnknownFault),
    /// A parameter of the fault is none, or has no such value.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// How long is not said as it must be.
    #[error(transparent)]
    Span(#[from] NoSpan),
    /// The point is none.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Nothing like this can be done to the plant.
    #[error(transparent)]
    PlantAction(#[from] ActionError),
    /// The field cannot do it.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// There is no field any more.
    #[error("the simulator is stopping")]
    Stopping,
    /// The field did something, but not this.
    #[error("the field answered something else")]
    AnsweredElse,
}

/// A reply as it goes over the port: with what local time of the province follows from the UTC of its instants by.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    reply: &'a ControlReply,
    #[serde(skip_serializing_if = "Option::is_none")]
    utc_offset_hours: Option<serde_json::Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<&'static str>,
}

impl<'a> Answer<'a> {
    fn new(reply: &'a ControlReply, zone: Zone) -> Self {
        let hours = zone.fixed_hours();
        Self {
            reply,
            utc_offset_hours: hours.and_then(|hours| hours.to_string().parse().ok()),
            time_zone: zone.name().filter(|_| hours.is_none()),
        }
    }
}

/// The true value of a point beside what each centre gets.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PointTruth {
    /// Done.
    pub ok: bool,
    /// Point id.
    pub point: String,
    /// Physical unit.
    pub unit: String,
    /// What is true; `None` before the first step.
    #[serde(rename = "true")]
    pub true_value: Option<f64>,
    /// Of each centre that it is mapped at.
    pub sent: Vec<SentTo>,
}

/// What a centre gets of a point.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SentTo {
    /// Centre id.
    pub centre: String,
    /// The value; `None` when it gets none.
    pub value: Option<f64>,
    /// What the device says against it, such as `IV NT`.
    pub flags: String,
    /// Numbers of the faults that affect it there.
    pub faults: Vec<u32>,
}

/// What a centre writes into a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Write {
    Registers { unit: u8, address: u16, values: Vec<u16> },
    Coil { unit: u8, address: u16, on: bool },
}

/// Something on its way to the field.
pub(crate) enum Order {
    /// A request, and who waits for the answer.
    Ask(ControlRequest, oneshot::Sender<Result<ControlReply, RequestError>>),
    /// A write of a centre, and who waits for it.
    Write(ChannelId, Write, oneshot::Sender<Result<(), Refusal>>),
}

/// Where requests to a running field are handed in.
#[derive(Clone)]
pub struct Desk {
    province: Arc<Province>,
    orders: mpsc::Sender<Order>,
}

impl Desk {
    pub(crate) fn new(province: Arc<Province>) -> (Self, mpsc::Receiver<Order>) {
        let (orders, receiver) = mpsc::channel(ORDERS_MAX);
        (Self { province, orders }, receiver)
    }

    /// The province of the field.
    pub fn province(&self) -> &Arc<Province> {
        &self.province
    }

    /// Hands in a request and waits until it is done.
    ///
    /// # Errors
    /// Why it cannot be done, with the way out.
    pub async fn ask(&self, request: ControlRequest) -> Result<ControlReply, RequestError> {
        let (reply, answer) = oneshot::channel();
        let order = Order::Ask(request, reply);
        self.orders.send(order).await.map_err(|_| RequestError::Stopping)?;
        answer.await.map_err(|_| RequestError::Stopping)?
    }

    /// Hands in what a centre writes and waits until the field has taken it.
    pub(crate) async fn write(&self, channel: ChannelId, write: Write) -> Result<(), Refusal> {
        let (reply, answer) = oneshot::channel();
        // A gateway that stops answers nothing any more.
        let gone = Refusal::Fault(0x0B);
        self.orders.send(Order::Write(channel, write, reply)).await.map_err(|_| gone)?;
        answer.await.map_err(|_| gone)?
    }

    /// Starts a fault; without `lasting` it stays until it is cleared.
    ///
    /// # Errors
    /// Why it cannot be started, with the way out.
    pub async fn inject(
        &self,
        kind: &str,
        target: &str,
        lasting: Option<&str>,
    ) -> Result<u32, RequestError> {
        let request = ControlRequest::Inject {
            kind: kind.to_owned(),
            target: target.to_owned(),
            centre: None,
            lasting: lasting.map(str::to_owned),
            params: BTreeMap::new(),
        };
        match self.ask(request).await? {
            ControlReply::Injected { fault, .. } => Ok(fault),
            _ => Err(RequestError::AnsweredElse),
        }
    }

    /// Ends a fault.
    ///
    /// # Errors
    /// When no such fault is active.
    pub async fn clear(&self, fault: u32) -> Result<(), RequestError> {
        self.ask(ControlRequest::Clear { fault }).await.map(|_| ())
    }
}

/// What came of an order, to be handed over once everybody can see it.
pub(crate) enum Outcome {
    Ask(Result<ControlReply, RequestError>, oneshot::Sender<Result<ControlReply, RequestError>>),
    Write(Result<(), Refusal>, oneshot::Sender<Result<(), Refusal>>),
}

impl Outcome {
    pub(crate) fn hand_over(self) {
        // Who asked may be gone by now.
        match self {
            Self::Ask(result, reply) => drop(reply.send(result)),
            Self::Write(result, reply) => drop(reply.send(result)),
        }
    }
}

/// Does what an order wants, at a moment.
pub(crate) fn carry_out(field: &mut Field, at_ms: i64, order: Order) -> Outcome {
    match order {
        Order::Ask(request, reply) => Outcome::Ask(done(field, at_ms, request), reply),
        Order::Write(channel, write, reply) => {
            let result = match write {
                Write::Registers { unit, address, values } => {
                    field.write_registers(at_ms, channel, unit, address, &values)
                }
                Write::Coil { unit, address, on } => {
                    field.write_coil(at_ms, channel, unit, address, on)
                }
            };
            Outcome::Write(result, reply)
        }
    }
}

fn done(
    field: &mut Field,
    at_ms: i64,
    request: ControlRequest,
) -> Result<ControlReply, RequestError> {
    match request {
        ControlRequest::Inject { kind, target, centre, lasting, params } => {
            let kind = FaultKind::parse(&kind)?;
            let mut settings = FaultSettings::of(kind);
            for (name, value) in params {
                settings.set(&name, &written(value))?;
            }
            let for_ms = lasting.as_deref().map(duration_ms).transpose()?;
            let injection = Injection { kind, target, centre, for_ms, settings };
            Ok(ControlReply::Injected { ok: true, fault: field.inject(&injection)? })
        }
        ControlRequest::Clear { fault } => {
            field.clear(fault)?;
            Ok(ControlReply::Done { ok: true })
        }
        ControlRequest::List {} => {
            Ok(ControlReply::Listed { ok: true, faults: field.faults().list() })
        }
        ControlRequest::Truth { point } => Ok(ControlReply::Truth(field.truth(&point)?)),
        ControlRequest::Strike { bay, lasting, phase: letter, earth, share } => {
            let fault = ShortCircuit { lasting, phase: phase(&letter)?, earth, share };
            let action = PlantAction::strike(field.province(), &bay, fault)?;
            happened(field, at_ms, action)
        }
        ControlRequest::Set { point, code } => {
            let action = PlantAction::set(field.province(), &point, &written(code))?;
            happened(field, at_ms, action)
        }
        ControlRequest::Dip { hertz, lasting } => {
            let action = PlantAction::dip(hertz, duration_ms(&lasting)?)?;
            happened(field, at_ms, action)
        }
        ControlRequest::Outages {} => Ok(ControlReply::Interruptions(field.interruptions())),
    }
}

fn happened(
    field: &mut Field,
    at_ms: i64,
    action: PlantAction,
) -> Result<ControlReply, RequestError> {
    let at_ms = field.happen_now(at_ms, action)?;
    Ok(ControlReply::Happened { ok: true, at: utc_text(at_ms) })
}

/// A value as a text would have it.
fn written(value: serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

impl Field {
    /// The true value of a point beside what each centre gets.
    ///
    /// # Errors
    /// When there is no such point, with the nearest name.
    pub fn truth(&self, id: &str) -> Result<PointTruth, TargetError> {
        let province = self.province();
        let (station, point) = one_point(province, id)?;
        let spec = &province.stations[station.index()].points[point.index()];
        let mut truth = PointTruth {
            ok: true,
            point: spec.id.clone(),
            unit: spec.spec.unit.clone(),
            true_value: Some(self.value(station, point)).filter(|value| value.is_finite()),
            sent: Vec::new(),
        };
        for centre in province.centre_ids() {
            let channel = province.channel_id(station, centre);
            let entry = &province.channels[channel.index()].entries[point.index()];
            let Some(register) = entry.register else { continue };
            let flags = self.image(channel).decoded(&register).map(|(_, flags)| flags);
            truth.sent.push(SentTo {
                centre: province.centres[centre.index()].id.clone(),
                value: self.pair(channel, point).sent,
                flags: flags.map_or_else(|| "refused".to_owned(), |flags| flags.to_string()),
                faults: self.faults().affecting(channel, point),
            });
        }
        Ok(truth)
    }
}

/// A port for `gridwatch inject` and `gridwatch plant`.
pub struct Control {
    address: SocketAddr,
    task: JoinHandle<()>,
    cancel: CancellationToken,
}

impl Control {
    /// Listens on loopback; port 0 takes any that is free.
    ///
    /// # Errors
    /// When the port cannot be opened.
    pub async fn start(desk: Desk, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        let cancel = CancellationToken::new();
        let stop = cancel.clone();
        let task = tokio::spawn(async move {
            stop.run_until_cancelled(accept(listener, desk, stop.clone())).await;
        });
        Ok(Self { address, task, cancel })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the port and every connection.
    pub async fn stop(self) {
        self.cancel.cancel();
        let _ = self.task.await;
    }
}

async fn accept(listener: TcpListener, desk: Desk, stop: CancellationToken) {
    let seats = Arc::new(Semaphore::new(CLIENTS_MAX));
    loop {
        // Further clients wait in the system's queue.
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("control port: {error}");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (desk, stop) = (desk.clone(), stop.clone());
        tokio::spawn(async move {
            let _seat = seat;
            if let Some(Err(error)) = stop.run_until_cancelled(serve(stream, desk)).await {
                tracing::debug!("control connection ended: {error}");
            }
        });
    }
}

async fn serve(stream: TcpStream, desk: Desk) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = (&mut read).take(LINE_BYTES_MAX);
        let wait = timeout(IDLE, limited.read_until(b'\n', &mut line));
        let Ok(count) = wait.await else { return Ok(()) };
        if count? == 0 {
            return Ok(());
        }
        let whole = line.ends_with(b"\n") || (line.len() as u64) < LINE_BYTES_MAX;
        let result = match serde_json::from_slice::<ControlRequest>(&line) {
            _ if !whole => Err(format!("a line is longer than {LINE_BYTES_MAX} bytes")),
            Ok(request) => desk.ask(request).await.map_err(|error| error.to_string()),
            Err(error) => Err(format!("no request: {error}")),
        };
        let mut answer = match result {
            Ok(reply) => {
                let answer = Answer::new(&reply, desk.province().zone);
                serde_json::to_vec(&answer).map_err(io::Error::other)?
            }
            Err(error) => serde_json::to_vec(&serde_json::json!({ "ok": false, "error": error }))
                .map_err(io::Error::other)?,
        };
        answer.push(b'\n');
        let sent = timeout(IDLE, write.write_all(&answer)).await;
        sent.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        if !whole {
            return Ok(());
        }
    }
}
