use super::*;

#[test]
fn keepalive_finds_silence_within_its_time() {
    for limit in [3, 4, 5, 10, 30, 31, 600] {
        let (idle, interval, retries) = keep_alive_times(Duration::from_secs(limit));
        assert!(idle.as_secs() >= 1 && interval.as_secs() >= 1 && retries >= 1, "{limit}");
        assert!(idle + interval * retries <= Duration::from_secs(limit), "{limit}");
        assert!((idle + interval * retries).as_secs() * 4 >= limit * 3, "{limit}");
    }
}

#[test]
fn silence_begins_with_what_is_not_answered_and_ends_with_any_answer() {
    let seconds = Duration::from_secs_f64;
    let facts = |on_the_way, probes, sent, heard| TcpInfo {
        on_the_way,
        probes,
        since_sent: seconds(sent),
        since_heard: seconds(heard),
        unacknowledged: 0,
    };
    let (mut silence, start) = (UnansweredSince::default(), Instant::now());
    let mut look = |at: f64, f| silence.observe(start + seconds(at), &f).as_secs_f64();
    // Long idle, then sent: silence begins now, not with the last answer.
    assert_eq!(look(100.0, facts(false, 0, 90.0, 90.0)), 0.0);
    assert_eq!(look(101.0, facts(true, 0, 0.1, 91.0)), 0.0);
    assert_eq!(look(111.0, facts(true, 0, 3.0, 101.0)), 10.0);
    // Answered in between and sent again: a busy connection is never seen with everything answered.
    assert_eq!(look(112.0, facts(true, 0, 0.0, 0.5)), 0.0);
    assert_eq!(look(113.0, facts(true, 0, 0.0, 0.5)), 0.0);
    // No room, questions answered: alive, however far apart they are.
    assert_eq!(look(200.0, facts(false, 0, 80.0, 60.0)), 0.0);
    assert_eq!(look(230.0, facts(true, 0, 70.0, 60.0)), 0.0);
    // No room, and a question not answered.
    assert_eq!(look(240.0, facts(false, 1, 80.0, 70.0)), 0.0);
    assert_eq!(look(270.0, facts(false, 2, 110.0, 100.0)), 30.0);
    assert_eq!(look(271.0, facts(false, 0, 110.0, 0.1)), 0.0);
}

/// An answer of the kernel: its header, the message, two attributes that nobody asked for, and the one with `tcp_info`.
#[cfg(target_os = "linux")]
fn answer(kind: u16) -> Vec<u8> {
    let mut out = vec![0; 16 + 72];
    out[4..6].copy_from_slice(&kind.to_ne_bytes());
    out[16 + 60..][..4].copy_from_slice(&7_000u32.to_ne_bytes());
    let mut info = vec![0; 232];
    info[3] = 2;
    for (at, n) in [(24, 1u32), (44, 1_500), (56, 2_500)] {
        info[at..at + 4].copy_from_slice(&n.to_ne_bytes());
    }
    // The second one has 5 bytes, and 3 behind them that fill it up.
    for (kind, value) in [(8u16, vec![0]), (1, vec![9; 5]), (2, info)] {
        out.extend_from_slice(&u16::try_from(4 + value.len()).unwrap().to_ne_bytes());
        out.extend_from_slice(&kind.to_ne_bytes());
        out.extend_from_slice(&value);
        out.resize(out.len().next_multiple_of(4), 0xAA);
    }
    out
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_of_the_kernel_is_read_and_one_that_is_cut_says_nothing() {
    let (second, half) = (Duration::from_secs(1), Duration::from_millis(500));
    let facts = TcpInfo {
        on_the_way: true,
        probes: 2,
        since_sent: second + half,
        since_heard: second * 2 + half,
        unacknowledged: 7_000,
    };
    let whole = answer(20);
    assert_eq!(kernel::facts(&whole), Some(facts));
    for end in 0..whole.len() {
        assert_eq!(kernel::facts(&whole[..end]), None, "{end}");
    }
    // An error, NLMSG_ERROR, and an older kernel that knows the first 60 bytes of the structure.
    assert_eq!(kernel::facts(&answer(2)), None);
    let start = whole.len() - 232;
    let mut short = whole[..start + 60].to_vec();
    short[start - 4..start - 2].copy_from_slice(&64u16.to_ne_bytes());
    assert_eq!(kernel::facts(&short), Some(facts));
    short[start - 4..start - 2].copy_from_slice(&63u16.to_ne_bytes());
    assert_eq!(kernel::facts(&short), None);
}

// qemu-user, which runs the big-endian tests, hands no sock_diag through.
#[cfg(all(target_os = "linux", target_endian = "little"))]
#[test]
fn the_kernel_says_what_is_on_the_way() {
    use std::{
        io::Write,
        net::{TcpListener, TcpStream},
    };
    for host in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = TcpListener::bind(host) else { continue };
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_peer, _) = listener.accept().unwrap();
        let (local, peer) = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
        let mut question = kernel::SockDiag::new(local, peer).unwrap();
        stream.write_all(b"hello").unwrap();
        std::thread::sleep(Duration::from_millis(300));
        let facts = question.ask().unwrap();
        assert!(!facts.on_the_way && facts.probes == 0 && facts.unacknowledged == 0, "{facts:?}");
        assert!(facts.since_heard >= Duration::from_millis(100), "{facts:?}");
        assert!(facts.since_heard < Duration::from_secs(60), "{facts:?}");
        assert_eq!(kernel::facts(&[]), None);
        // Nobody reads: the peer's system takes some of it, the rest is not acknowledged.
        stream.set_nonblocking(true).unwrap();
        let mut wrote = 0;
        while let Ok(n) = stream.write(&[7; 65_536]) {
            wrote += n;
        }
        let facts = question.ask().unwrap();
        assert!(facts.unacknowledged > 0 && (facts.unacknowledged as usize) < wrote, "{facts:?} of {wrote}");
        assert_eq!(kernel::facts(&[0; 200]), None);
    }
}

#[cfg(target_os = "linux")]
proptest::proptest! {
    #[test]
    fn no_answer_makes_the_parser_panic(
        damage in proptest::collection::vec((0usize..350, proptest::num::u8::ANY), 0..6),
        cut in 0usize..400,
    ) {
        let mut bytes = answer(20);
        for (at, b) in damage {
            bytes.get_mut(at).into_iter().for_each(|to| *to = b);
        }
        bytes.truncate(cut);
        let _ = kernel::facts(&bytes);
    }
}
