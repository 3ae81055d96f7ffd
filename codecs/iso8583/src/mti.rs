//! Message type indicators of ISO 8583: version, class, function, origin.

/// Whether the MTI says that the message is a repeat: an odd last digit (1, 3, 5).
pub fn is_repeat(mti: &str) -> bool {
    matches!(mti.as_bytes(), [_, _, _, b'1' | b'3' | b'5'])
}

/// The MTI that answers this one: 0200 → 0210, 0121 → 0130, 0421 → 0430, 0401 → 0410. `None` for
/// what is not four digits and for what is an answer already (odd third digit).
pub fn response_mti(mti: &str) -> Option<String> {
    match mti.as_bytes() {
        [version @ b'0'..=b'9', class @ b'0'..=b'9', function @ (b'0' | b'2' | b'4' | b'6' | b'8'), origin @ b'0'..=b'9'] => {
            // Repeats are answered as their originals: the repeat digit is taken off the origin.
            let origin = if origin % 2 == 1 { origin - 1 } else { *origin };
            let answer = [*version, *class, function + 1, origin];
            Some(answer.iter().map(|byte| char::from(*byte)).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeat_is_answered_as_its_original() {
        for (request, answer) in
            [("0100", "0110"), ("0201", "0210"), ("0221", "0230"), ("0421", "0430"), ("0400", "0410"), ("0800", "0810")]
        {
            assert_eq!(response_mti(request).as_deref(), Some(answer));
        }
        assert_eq!(response_mti("0210"), None);
        assert_eq!(response_mti("02O0"), None);
        assert!(is_repeat("0421") && !is_repeat("0420"));
    }
}
