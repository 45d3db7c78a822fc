//! The port of a channel: who is let in, and what becomes of those inside.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::connection;
use super::guests::Guests;
use super::station::{Rights, Station};
use super::tls::Security;

/// Pause before listening again after the system refused a connection, for want of files say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// A peer that has been silent for so long is asked whether it is still there, ...
const ALIVE_AFTER: Duration = Duration::from_secs(60);
/// ... again and again after so long, ...
const ALIVE_EVERY: Duration = Duration::from_secs(10);
/// ... and is let go when it has not answered so often.
const ALIVE_TRIES: u32 = 3;
/// Answers that a peer has not confirmed for so long are given up with it: as long as one is under
/// way nobody asks whether it is still there, and it would be sent again for a quarter of an hour.
#[cfg(target_os = "linux")]
const CONFIRMED_WITHIN: Duration = Duration::from_secs(90);

/// Where a channel listens.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) address: SocketAddr,
    pub(super) station: Arc<Station>,
    pub(super) guests: Arc<Guests>,
    /// How connections are secured, unless they are plain.
    pub(super) security: Option<Arc<Security>>,
}

impl Door {
    /// Serves the channel until the token is cancelled; its connections end with it.
    pub(super) fn serve(&self, listener: TcpListener) -> (JoinHandle<()>, CancellationToken) {
        let cancel = CancellationToken::new();
        let (door, stop) = (self.clone(), cancel.clone());
        let handle = tokio::spawn(async move {
            let mut inside = JoinSet::new();
            stop.run_until_cancelled(door.attend(listener, &mut inside)).await;
            inside.shutdown().await;
        });
        (handle, cancel)
    }

    /// Serves the channel, but for the time in which a fault closes its port.
    async fn attend(&self, listener: TcpListener, inside: &mut JoinSet<()>) {
        let mut images = self.station.images.clone();
        let mut listener = Some(listener);
        loop {
            if images.borrow_and_update().conduct().closed {
                listener = None;
                inside.shutdown().await;
                if images.wait_for(|image| !image.conduct().closed).await.is_err() {
                    return;
                }
            }
            let Some(open) = &listener else {
                listener = self.open_again().await;
                continue;
            };
            tokio::select! {
                closed = images.wait_for(|image| image.conduct().closed) => {
                    if closed.is_err() {
                        return;
                    }
                }
                () = self.accept(open, inside) => {}
            }
        }
    }

    async fn open_again(&self) -> Option<TcpListener> {
        match TcpListener::bind(self.address).await {
            Ok(open) => Some(open),
            Err(error) => {
                tracing::warn!("{} cannot be opened again: {error}", self.address);
                sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }

    /// Takes clients in, for ever. Whatever the system refuses, those inside stay.
    async fn accept(&self, listener: &TcpListener, inside: &mut JoinSet<()>) {
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => self.receive(stream, peer, inside),
                    Err(error) => {
                        self.guests.cannot_accept(self.address, &error);
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                // Nothing is kept of those who have left.
                Some(_) = inside.join_next() => {}
            }
        }
    }

    /// Lets a client in, or turns it away.
    fn receive(&self, stream: TcpStream, peer: SocketAddr, inside: &mut JoinSet<()>) {
        let Some(seat) = self.guests.admit(peer, &self.station.counters) else { return };
        if prepare(&stream).is_err() {
            // The client has gone already.
            return;
        }
        let door = self.clone();
        inside.spawn(async move {
            // The seat is given back when the connection ends.
            let _seat = seat;
            if let Err(error) = door.serve_one(stream, peer).await {
                tracing::debug!(%peer, "connection ended: {error}");
            }
        });
    }

    /// Serves a client, once it has shown who it is where that is asked.
    async fn serve_one(&self, stream: TcpStream, peer: SocketAddr) -> io::Result<()> {
        let station = &self.station;
        let Some(security) = &self.security else {
            station.counters.count_accepted();
            return connection::serve(stream, station, Rights::ALL).await;
        };
        let (stream, guest) = match security.welcome(stream).await {
            Ok(welcomed) => welcomed,
            Err(why) => {
                self.guests.turn_away(peer, &station.counters, &why.to_string());
                return Ok(());
            }
        };
        if guest.may_nothing() {
            // It is told so at each request.
            self.guests.turn_away(peer, &station.counters, &guest.to_string());
        } else {
            station.counters.count_accepted();
        }
        connection::serve(stream, station, guest.rights).await
    }
}

/// Answers leave at once, and a peer that vanished is noticed however long it was silent before.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let alive = TcpKeepalive::new().with_time(ALIVE_AFTER).with_interval(ALIVE_EVERY);
    let socket = SockRef::from(stream);
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(CONFIRMED_WITHIN))?;
    socket.set_tcp_keepalive(&alive.with_retries(ALIVE_TRIES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_peer_that_vanished_is_let_go_with_an_answer_under_way_too() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        prepare(&stream).unwrap();
        let socket = SockRef::from(&stream);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(CONFIRMED_WITHIN));
        assert!(socket.keepalive().unwrap());
    }
}
