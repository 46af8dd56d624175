//! Whatever bytes a receiver says, in whatever pieces.
use super::*;

/// Bytes a receiver may say: frames, right and wrong, and noise.
fn said() -> impl Strategy<Value = Vec<u8>> {
    let frame =
        (0u32..9, "rsp|serverclose|syslog|x", "200|200 OK|500 no||200\nx|\\PC{0,5}").prop_map(|(n, command, data)| {
            match data.len() {
                0 => format!("{n} {command} 0\n").into_bytes(),
                length => format!("{n} {command} {length} {data}\n").into_bytes(),
            }
        });
    let answer = (2u32..8).prop_map(|n| rsp(n, "200 OK").into_bytes());
    let noise = proptest::collection::vec(any::<u8>(), 0..12);
    proptest::collection::vec(prop_oneof![8 => answer, 2 => frame, 1 => noise], 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn whatever_a_receiver_says_only_answered_lines_are_acknowledged(bytes in said(), piece in 1usize..50) {
        let mut core = sent_to(5);
        let _ = bytes.chunks(piece).try_for_each(|piece| core.hear(piece, Instant::now()).map(|_| ()));
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let done = core.acknowledged().unwrap_or(0);
        prop_assert_eq!(done as usize + core.unanswered(), 5);
        for id in 1..=done {
            let (short, long) = (format!("{} rsp 3 200\n", id + 1), format!("{} rsp 6 200 OK\n", id + 1));
            let data = format!("{} rsp 5 200\nx\n", id + 1);
            prop_assert!([short, long, data].iter().any(|answer| text.contains(answer)), "{} in {:?}", id, text);
        }
    }

    #[test]
    fn the_pieces_in_which_answers_come_make_no_difference(bytes in said(), piece in 1usize..20) {
        let run = |piece| {
            let mut core = sent_to(5);
            let heard = bytes.chunks(piece).try_for_each(|piece| core.hear(piece, Instant::now()).map(|_| ()));
            (heard.err().map(|e| mem::discriminant(&e)), core.acknowledged(), core.unanswered())
        };
        prop_assert_eq!(run(piece), run(usize::MAX));
    }

    #[test]
    fn the_pieces_in_which_frames_are_written_make_no_difference(
        lines in proptest::collection::vec("\\PC{0,40}", 1..30),
        piece in 1usize..60,
    ) {
        let now = Instant::now();
        let mut core = sent_to(0);
        let mut receiver = Receiver::new(librelp);
        for (line, id) in lines.iter().zip(1..) {
            prop_assert!(core.offer(line.as_bytes(), id).unwrap());
        }
        while !core.outgoing().is_empty() {
            let some = core.outgoing().get(..piece).unwrap_or(core.outgoing());
            receiver.input.extend_from_slice(some);
            core.wrote(some.len(), now);
            while let Some(got) = receiver.frame() {
                // What was written whole may be answered while the rest is on its way.
                core.hear(librelp(&got).as_bytes(), now).unwrap();
                receiver.got.push(got);
            }
        }
        prop_assert_eq!(receiver.lines(), lines.iter().map(String::as_bytes).collect::<Vec<_>>());
        prop_assert_eq!((core.acknowledged(), core.unanswered()), (Some(lines.len() as u64), 0));
    }
}
