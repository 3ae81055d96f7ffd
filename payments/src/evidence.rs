//! What presentment and disputes will ask for, kept from the first day (SEMANTICS rule 23). CVV2,
//! tracks and PIN blocks never are.

use serde::{Deserialize, Serialize};

use crate::text::Text;

/// EMV tags that are kept from DE55, in the order of their columns.
pub const EMV_TAGS: [&str; 20] = [
    "9F26", "9F27", "9F10", "9F37", "9F36", "95", "9A", "9C", "9F02", "5F2A", "82", "9F1A", "9F03", "9F33", "9F34", "9F35",
    "9F1E", "84", "9F09", "9F41",
];

/// Request-side facts of a card payment; the answer's own (network id, DE38, AVS and CVV results)
/// stand in [`crate::Answer`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// DE18.
    pub merchant_category: Text<4>,
    /// DE22, point of service entry mode.
    pub entry_mode: Text<3>,
    /// DE25, point of service condition code.
    pub condition: Text<2>,
    /// DE61, point of service data.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub pos_data: Text<26>,
    /// Electronic commerce indicator.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub eci: Text<2>,
    /// DE23, card sequence number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_sequence: Option<crate::CardSequence>,
    /// DE43 as received: name, city and country of the card acceptor.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub acceptor: Text<40>,
    /// EMV tags of [`EMV_TAGS`] that came: tag and value, upper-case hex.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emv: Vec<(Text<4>, String)>,
}
