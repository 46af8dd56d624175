use super::{linux::facts, *};

/// An answer of the kernel: its header, the message, two attributes that nobody asked for, and the one with `tcp_info`.
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

#[test]
fn an_answer_of_the_kernel_is_read_and_one_that_is_cut_says_nothing() {
    let (second, half) = (Duration::from_secs(1), Duration::from_millis(500));
    let expected = TcpInfo {
        on_the_way: true,
        probes: 2,
        since_sent: second + half,
        since_heard: second * 2 + half,
        unacknowledged: 7_000,
    };
    let whole = answer(20);
    assert_eq!(facts(&whole), Some(expected));
    for end in 0..whole.len() {
        assert_eq!(facts(&whole[..end]), None, "{end}");
    }
    // An error, NLMSG_ERROR, and an older kernel that knows the first 60 bytes of the structure.
    assert_eq!(facts(&answer(2)), None);
    let start = whole.len() - 232;
    let mut short = whole[..start + 60].to_vec();
    short[start - 4..start - 2].copy_from_slice(&64u16.to_ne_bytes());
    assert_eq!(facts(&short), Some(expected));
    short[start - 4..start - 2].copy_from_slice(&63u16.to_ne_bytes());
    assert_eq!(facts(&short), None);
}

// qemu-user, which runs the big-endian tests, hands no sock_diag through.
#[cfg(target_endian = "little")]
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
        let mut question = SockDiag::new(local, peer).unwrap();
        stream.write_all(b"hello").unwrap();
        std::thread::sleep(Duration::from_millis(300));
        let told = question.ask().unwrap();
        assert!(!told.on_the_way && told.probes == 0 && told.unacknowledged == 0, "{told:?}");
        assert!(told.since_heard >= Duration::from_millis(100), "{told:?}");
        assert!(told.since_heard < Duration::from_secs(60), "{told:?}");
        assert_eq!(facts(&[]), None);
        // Nobody reads: the peer's system takes some of it, the rest is not acknowledged.
        stream.set_nonblocking(true).unwrap();
        let mut wrote = 0;
        while let Ok(n) = stream.write(&[7; 65_536]) {
            wrote += n;
        }
        let told = question.ask().unwrap();
        assert!(told.unacknowledged > 0 && (told.unacknowledged as usize) < wrote, "{told:?} of {wrote}");
        assert_eq!(facts(&[0; 200]), None);
    }
}

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
        let _ = facts(&bytes);
    }
}
