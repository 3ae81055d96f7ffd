//! The backend of host commands: the client of `hsm::payshield` and the simulated HSM, over a real loopback
//! socket. Keys of cases are put under the published test master keys here.

mod cards;
mod chip;
mod data;
mod keys;
mod lab;
mod outages;
mod pins;
mod round;

use crypto::CryptoError;
use hsm::HsmError;

use super::Backend;
use super::case::{Case, Trouble, Values};
use lab::{Bench, LAB};

/// The client against the simulator.
pub(super) struct PayShieldSimulator;

/// What a case gets: `None` where no command does what it asks.
type Outcome = Option<Result<Values, Trouble>>;

impl Backend for PayShieldSimulator {
    fn name(&self) -> &'static str {
        "payShield commands"
    }

    fn lacks(&self, op: &str) -> Option<&'static str> {
        Some(match op {
            // Cases that a command does.
            "cvv" | "cvv_verify" | "visa_pvv_verify" | "pin_translate" | "dukpt_tdes_pin_translate" => return None,
            "mac_iso9797_alg1" | "mac_iso9797_alg3" | "mac_verify" | "cmac_aes" | "cmac_tdes" => return None,
            "dukpt_tdes_data_encrypt" | "dukpt_tdes_data_decrypt" | "kcv_tdes" => return None,
            "key_export_zmk_ecb" | "key_import_zmk_ecb" | "key_from_components" => return None,
            "emv_arqc_verify" | "emv_arpc_2" => return None,
            // Some of its cases.
            "ibm3624_verify" => "where the validated digits hold the account's last five",
            "dukpt_tdes_mac" => "MACs of requests (GW)",
            "emv_arqc" => "checked, not made (KQ, KW)",
            "emv_arpc" => "all but Interac's",
            "emv_arpc_1" => "all but a session key of M/Chip",
            // None.
            "visa_pvv" | "ibm3624_offset" => "DG, FW, DE, BK are not built",
            "dcvv" | "cvc3" => "PM, QY are not built",
            "dukpt_tdes_cmac" => "GW has algorithm 3 alone",
            "emv_script_mac" | "emv_pin_change_command" => "KU, KY are not built",
            "kcv_aes" => "both rules at once are told by no command",
            "tr31_unwrap" => "A6 takes X9.17 cryptograms alone",
            "fpe_ff1_encrypt" => "no such command",
            "aes_ecb_encrypt" | "pin_block_encode" | "pin_block_decode" => "nothing in the clear goes in or out",
            "pin_block_iso4_encipher" | "pin_block_iso4_decipher" => "nothing in the clear goes in or out",
            "key_check" => "imports tell equal parts, not weak ones",
            "payshield_variant_lmk_encrypt" => "done inside; the simulator's tests hold it",
            "dukpt_tdes_pin_encrypt" => "nothing in the clear goes in or out",
            "key_parity_adjust" => "done inside A4 and A6",
            "key_variant_atalla" => "Atalla variants are not built",
            op if op.starts_with("dukpt_aes_") => "no public layout for AES DUKPT",
            _ => "derived keys stay inside",
        })
    }

    fn keeps(&self) -> &'static [&'static str] {
        &["pin", "mac_key", "icc_mk_ac"]
    }

    fn run(&self, case: &Case<'_>) -> Outcome {
        let operation: fn(&Bench<'_>, &Case<'_>) -> Outcome = match case.op() {
            "cvv" => |bench, case| Some(cards::cvv(bench, case)),
            "cvv_verify" => |bench, case| Some(cards::cvv_verify(bench, case)),
            "visa_pvv_verify" => |bench, case| Some(cards::pvv_verify(bench, case)),
            "ibm3624_verify" => cards::offset_verify,
            "pin_translate" => pins::translate,
            "dukpt_tdes_pin_translate" => pins::translate_dukpt,
            "mac_iso9797_alg1" | "mac_iso9797_alg3" | "cmac_aes" | "cmac_tdes" => |bench, case| Some(data::mac(bench, case)),
            "mac_verify" => |bench, case| Some(data::mac_verify(bench, case)),
            "dukpt_tdes_mac" => data::dukpt_mac,
            "dukpt_tdes_data_encrypt" => |bench, case| Some(data::encrypt(bench, case)),
            "dukpt_tdes_data_decrypt" => |bench, case| Some(data::decrypt(bench, case)),
            "kcv_tdes" => |bench, case| Some(keys::check_value(bench, case)),
            "key_export_zmk_ecb" => |bench, case| Some(keys::export(bench, case)),
            "key_import_zmk_ecb" => |bench, case| Some(keys::import(bench, case)),
            "key_from_components" => |bench, case| Some(keys::components(bench, case)),
            "emv_arqc" => chip::arqc,
            "emv_arqc_verify" => |bench, case| Some(chip::arqc_verify(bench, case)),
            "emv_arpc" => chip::arpc,
            "emv_arpc_1" | "emv_arpc_2" => chip::arpc_of_steps,
            _ => return None,
        };
        let bench = LAB.bench();
        operation(&bench, case)
    }
}

/// The class of a refusal, as cases call it.
fn refused(error: HsmError) -> Trouble {
    match error {
        HsmError::KeyRefused(error) => error.into(),
        HsmError::KcvMismatch => CryptoError::CheckValue.into(),
        HsmError::PinBlock => CryptoError::PinBlock.into(),
        HsmError::Pan => CryptoError::Pan.into(),
        other => Trouble::Refused(other.to_string()),
    }
}

/// As [`refused`], where a wrong length is told by the key's name in the case.
fn refused_of(name: &'static str) -> impl Fn(HsmError) -> Trouble {
    move |error| match error {
        HsmError::KeyRefused(error) => super::case::of_key(name)(error),
        other => refused(other),
    }
}
