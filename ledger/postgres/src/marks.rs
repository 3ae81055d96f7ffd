//! The marks of a block as they are stored.

use ledger::store::Marks;
use payments::{LinkId, PaymentId, Stan};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Stored {
    stans: Vec<(LinkId, Stan)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    oldest_open: Option<PaymentId>,
}

pub(crate) fn to_json(marks: &Marks) -> Result<serde_json::Value, serde_json::Error> {
    serde_json::to_value(Stored { stans: marks.stans.clone(), oldest_open: marks.oldest_open })
}

pub(crate) fn from_json(value: serde_json::Value) -> Result<Marks, serde_json::Error> {
    let Stored { stans, oldest_open } = serde_json::from_value(value)?;
    Ok(Marks { stans, oldest_open })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_read_back() {
        let marks = Marks {
            stans: vec![(LinkId::new("net1").unwrap(), Stan::new(42).unwrap())],
            oldest_open: Some(PaymentId(uuid::Uuid::from_u128(7))),
        };
        assert_eq!(from_json(to_json(&marks).unwrap()).unwrap(), marks);
        assert_eq!(from_json(to_json(&Marks::default()).unwrap()).unwrap(), Marks::default());
    }
}
