//! A proxy between an agent and a receiver that can be slow, deaf, rude or absent.
use std::{
    io::{ErrorKind, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use socket2::{Domain, SockRef, Socket, Type};

/// See the module. Everything can be changed while it runs.
#[derive(Clone)]
pub struct Proxy {
    pub port: u16,
    pub controls: Arc<Controls>,
}

#[derive(Default)]
pub struct Controls {
    /// Where connections go.
    target: Mutex<Option<SocketAddr>>,
    /// Connections taken.
    pub connections: AtomicU64,
    /// Bytes a second towards the receiver; 0 for as fast as it goes.
    pub rate: AtomicU64,
    /// Reads nothing, and closes nothing: a reader that stalls.
    pub frozen: AtomicBool,
    /// Ends connections with a reset once so many more bytes went to the receiver.
    pub reset_after: AtomicU64,
    /// Closes connections in order.
    pub close: AtomicBool,
    /// Bytes that went to the receiver, all connections.
    pub passed: AtomicU64,
    /// What came from the agent, while `record` is set.
    pub record: AtomicBool,
    pub recorded: Mutex<Vec<u8>>,
}

impl Proxy {
    /// On a free port of 127.0.0.1.
    pub fn to(port: u16) -> Proxy {
        Proxy::on(Ipv4Addr::LOCALHOST.into(), port)
    }

    /// On a free port of an address of ours, to a port of 127.0.0.1.
    pub fn on(ip: IpAddr, port: u16) -> Proxy {
        Proxy::at(SocketAddr::new(ip, 0), port)
    }

    /// On a certain port.
    pub fn at(address: SocketAddr, port: u16) -> Proxy {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        // A receiver with small buffers: what is not read stays with the agent.
        socket.set_recv_buffer_size(16 << 10).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&address.into()).unwrap();
        socket.listen(64).unwrap();
        let listener = std::net::TcpListener::from(socket);
        let proxy = Proxy { port: listener.local_addr().unwrap().port(), controls: Arc::default() };
        proxy.send_to(port);
        let controls = proxy.controls.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                controls.connections.fetch_add(1, SeqCst);
                let target = (*controls.target.lock().unwrap()).unwrap();
                if let Ok(server) = TcpStream::connect(target) {
                    serve(client, server, &controls);
                }
            }
        });
        proxy
    }

    /// Later connections go to another port of 127.0.0.1.
    pub fn send_to(&self, port: u16) {
        *self.controls.target.lock().unwrap() = Some(SocketAddr::from(([127, 0, 0, 1], port)));
    }

    pub fn connections(&self) -> u64 {
        self.controls.connections.load(SeqCst)
    }
}

fn serve(client: TcpStream, server: TcpStream, controls: &Arc<Controls>) {
    SockRef::from(&server).set_send_buffer_size(16 << 10).unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let (back_from, back_to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let (c, e) = (controls.clone(), ended.clone());
    thread::spawn(move || pass(client, server, &c, &e, true));
    let c = controls.clone();
    thread::spawn(move || pass(back_from, back_to, &c, &ended, false));
}

/// One direction of one connection.
fn pass(mut from: TcpStream, mut to: TcpStream, c: &Controls, ended: &AtomicBool, forth: bool) {
    from.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut bytes = [0; 8192];
    while !ended.load(SeqCst) {
        if forth && c.close.swap(false, SeqCst) {
            break;
        }
        if c.frozen.load(SeqCst) {
            thread::sleep(Duration::from_millis(10));
            continue;
        }
        let rate = if forth { c.rate.load(SeqCst) } else { 0 };
        let room = if rate > 0 { (rate as usize / 20).clamp(1, bytes.len()) } else { bytes.len() };
        let reset = c.reset_after.load(SeqCst);
        let room = if forth && reset > 0 { room.min(reset as usize) } else { room };
        let n = match from.read(&mut bytes[..room]) {
            Ok(0) => {
                // The other direction goes on: who closes may still be answered.
                let _ = to.shutdown(std::net::Shutdown::Write);
                if !forth {
                    break;
                }
                while !ended.load(SeqCst) {
                    thread::sleep(Duration::from_millis(10));
                }
                return;
            }
            Ok(n) => n,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(_) => break,
        };
        if forth && c.record.load(SeqCst) {
            c.recorded.lock().unwrap().extend_from_slice(&bytes[..n]);
        }
        if to.write_all(&bytes[..n]).is_err() {
            break;
        }
        if forth {
            c.passed.fetch_add(n as u64, SeqCst);
            if rate > 0 {
                thread::sleep(Duration::from_secs_f64(n as f64 / rate as f64));
            }
            if reset > 0 && c.reset_after.fetch_sub(n as u64, SeqCst) == n as u64 {
                thread::sleep(Duration::from_millis(50));
                for stream in [&from, &to] {
                    SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
                }
                break;
            }
        }
    }
    ended.store(true, SeqCst);
}
