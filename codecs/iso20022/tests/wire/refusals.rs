use iso20022::{Content, Error, Fault, Limits, read, read_document};

use crate::TRANSFER;

const TRANSACTION: &str = "BizMsgEnvlp/Doc/Document/FIToFICstmrCdtTrf/CdtTrfTxInf";

/// Reads the golden transfer with one place changed.
fn changed(from: &str, to: &str) -> Error {
    assert_eq!(TRANSFER.matches(from).count(), 1, "{from} must stand once");
    read(TRANSFER.replace(from, to).as_bytes(), &Limits::LINK).expect_err(to)
}

#[test]
fn an_error_has_path_offset_and_what_was_wanted() {
    let error = changed("<EndToEndId>", "<TxId>X</TxId><EndToEndId>");
    assert_eq!(error.path, format!("{TRANSACTION}/PmtId/TxId"));
    assert_eq!(error.offset, TRANSFER.find("<EndToEndId>").unwrap());
    assert_eq!(error.fault, Fault::Unexpected { want: "EndToEndId", got: "TxId" });
    assert_eq!(error.to_string(), format!("{TRANSACTION}/PmtId/TxId at byte {}: wanted EndToEndId, got TxId", error.offset));
}

#[test]
fn order_and_occurrence_are_those_of_the_schema() {
    let repeated = changed("<MsgId>M-1</MsgId>", "<MsgId>M-1</MsgId><MsgId>M-2</MsgId>");
    assert_eq!(repeated.fault, Fault::Unexpected { want: "it only once", got: "MsgId" });
    assert_eq!(changed("<ChrgBr>SLE&#x56;</ChrgBr>", "").fault, Fault::Unexpected { want: "ChrgBr", got: "Dbtr" });
    assert_eq!(changed("<SttlmMtd>CLRG</SttlmMtd><ClrSys><Cd>TGT</Cd></ClrSys>", "").fault, Fault::Missing { want: "SttlmMtd" });
    assert_eq!(changed("<NbOfTxs>", "<nbOfTxs/><NbOfTxs>").fault, Fault::Unexpected { want: "NbOfTxs", got: "another element" });
    assert_eq!(
        changed("</IBAN></Id>", "</IBAN><Othr><Id>1</Id></Othr></Id>").fault,
        Fault::Unexpected { want: "one branch of the choice only", got: "Othr" }
    );
    assert_eq!(changed("<Cdtr><Nm>Société</Nm></Cdtr>", "<Cdtr>Société</Cdtr>").fault, Fault::Mixed);
    assert_eq!(changed("<MsgId>M-1</MsgId>", "<MsgId>M-<b/>1</MsgId>").fault, Fault::Mixed);
}

#[test]
fn content_rules_hold() {
    let content = |from: &str, to: &str| match changed(from, to).fault {
        Fault::Content(content) => content,
        other => panic!("{other}"),
    };
    let long = format!(">{}<", "x".repeat(36));
    assert_eq!(content(">M-1<", &long), Content::Length { got: 36, max: 35 });
    assert_eq!(content(">M-1<", "><"), Content::Length { got: 0, max: 35 });
    assert_eq!(content("Ccy=\"EUR\">1234.50<", "Ccy=\"EUR\">1234.505<"), Content::Exponent { exponent: 2 });
    assert_eq!(content("Ccy=\"EUR\">1234.50<", "Ccy=\"XAU\">1234.50<"), Content::Currency);
    assert_eq!(content("Ccy=\"EUR\">1234.50<", "Ccy=\"EUR\">0<"), Content::Zero);
    assert_eq!(content("Ccy=\"EUR\">1234.50<", "Ccy=\"EUR\">1,234.50<"), Content::Decimal);
    assert_eq!(content("DE89370400440532013000", "DE88370400440532013000"), Content::CheckDigits);
    assert_eq!(content("2026-11-23", "2026-02-30"), Content::Date);
    assert_eq!(content("2026-11-21T01:30:00.250", "2026-11-21T25:30:00"), Content::DateTime);
    assert!(matches!(content("SLE&#x56;", " SLEV"), Content::Pattern(_)));
    assert!(matches!(content("8a562c67", "8A562C67"), Content::Pattern(_)));
}

#[test]
fn an_error_never_repeats_content() {
    for (from, to) in [("DE89370400440532013000", "4111111111111111"), (">M-1<", ">4111111111111111<x4111111111111111/><")] {
        let shown = format!("{:?} {0}", changed(from, to));
        assert!(!shown.contains("41111111"), "{shown}");
    }
}

#[test]
fn one_transfer_per_message_and_the_totals_are_its_own() {
    let start = TRANSFER.find("<CdtTrfTxInf>").unwrap();
    let end = TRANSFER.find("</CdtTrfTxInf>").unwrap() + "</CdtTrfTxInf>".len();
    let transaction = &TRANSFER[start..end];
    let two = changed("</FIToFICstmrCdtTrf>", &format!("{transaction}</FIToFICstmrCdtTrf>"));
    assert_eq!(two.fault, Fault::SeveralTransactions { got: 2 });
    assert_eq!(changed("<NbOfTxs>1<", "<NbOfTxs>2<").fault, Fault::Count);
    assert_eq!(changed("<CtrlSum>1234.50000<", "<CtrlSum>1234.50001<").fault, Fault::Total);
    assert_eq!(changed(">1234.5<", ">1234.6<").fault, Fault::Total);
    let date = "<IntrBkSttlmDt>2026-11-23</IntrBkSttlmDt>";
    let twice = changed("1234.50</IntrBkSttlmAmt>", &format!("1234.50</IntrBkSttlmAmt>{date}"));
    assert_eq!(twice.fault, Fault::Twice("IntrBkSttlmDt"));
}

#[test]
fn the_header_announces_the_message() {
    assert_eq!(changed(">pacs.008.001.08<", ">pacs.009.001.08<").fault, Fault::HeaderMismatch);
    assert_eq!(
        changed("head.001.001.02", "head.001.001.01").fault,
        Fault::Unexpected { want: "AppHdr", got: "another namespace" }
    );
    assert_eq!(
        changed("nvlp.001.001.01", "nvlp.001.001.02").fault,
        Fault::Unexpected { want: "BizMsgEnvlp", got: "another namespace" }
    );
}

#[test]
fn nothing_but_elements_text_and_comments_is_let_in() {
    assert_eq!(changed("<!-- A transfer of 1,234.50 EUR. -->", "<!DOCTYPE a>").fault, Fault::Doctype);
    let bomb = "<!DOCTYPE a [<!ENTITY b \"bbbb\">]>";
    assert_eq!(changed("<!-- A transfer of 1,234.50 EUR. -->", bomb).fault, Fault::Doctype);
    assert_eq!(changed("<!-- A transfer of 1,234.50 EUR. -->", "<?a b?>").fault, Fault::ProcessingInstruction);
    assert_eq!(changed(">M-1<", ">&nbsp;<").fault, Fault::Entity);
    assert_eq!(changed("<MsgId>", "<MsgId xsi:nil=\"true\">").fault, Fault::Attribute);
    assert_eq!(changed("<MsgId>", "<MsgId Ccy=\"EUR\">").fault, Fault::Attribute);
    assert_eq!(changed(" Ccy=\"EUR\">1234.50<", ">1234.50<").fault, Fault::Missing { want: "Ccy" });
}

#[test]
fn documents_that_are_not_well_formed_are_refused() {
    for (from, to) in [
        ("</env:BizMsgEnvlp>", ""),
        ("</env:BizMsgEnvlp>", "</env:BizMsgEnvlp><a/>"),
        ("</env:BizMsgEnvlp>", "</env:BizMsgEnvlp>x"),
        ("</MsgId>", "</MsgID>"),
        (">M-1<", ">M & 1<"),
        (">M-1<", ">&#0;<"),
        (">M-1<", ">&#xFFFE;<"),
        (">M-1<", ">]]><"),
        (">M-1<", ">\u{1}<"),
        ("<MsgId>", "<u:MsgId>"),
        ("<MsgId>", "<MsgId a=\"1\" a=\"2\">"),
        ("<MsgId>", "<MsgId a=\"1\"b=\"2\">"),
        ("<MsgId>", "<MsgId a=\"<\">"),
        ("<MsgId>", "<MsgId a=1>"),
        ("<!-- A transfer of 1,234.50 EUR. -->", "<!-- -- -->"),
        ("<!-- A transfer of 1,234.50 EUR. -->", "<?xml version=\"1.0\"?>"),
        ("version=\"1.0\"", "version=\"1.1\""),
    ] {
        let fault = changed(from, to).fault;
        assert!(matches!(fault, Fault::NotWellFormed(_)), "{to}: {fault}");
    }
    assert_eq!(changed("encoding=\"UTF-8\"", "encoding=\"ISO-8859-1\"").fault, Fault::NotUtf8);
    assert_eq!(read(b"\xFF", &Limits::LINK).unwrap_err().fault, Fault::NotUtf8);
    assert!(matches!(read(b"", &Limits::LINK).unwrap_err().fault, Fault::NotWellFormed(_)));
    assert!(read(format!("\u{FEFF}{TRANSFER}").as_bytes(), &Limits::LINK).is_ok(), "a byte order mark is legal");
}

#[test]
fn every_limit_holds() {
    let fault = |text: &str, limits: Limits| read_document(text.as_bytes(), &limits).unwrap_err().fault;
    let limits = Limits { document_bytes: 200, depth: 3, elements: 4, text_bytes: 10, attributes: 2, namespaces: 1 };
    assert_eq!(fault(&" ".repeat(201), limits), Fault::TooLarge { got: 201, max: 200 });
    assert_eq!(fault("<a><a><a><a/></a></a></a>", limits), Fault::TooDeep { max: 3 });
    assert_eq!(fault("<a><a/><a/><a/><a/></a>", limits), Fault::TooManyElements { max: 4 });
    assert_eq!(fault("<a>12345<b/>678901</a>", limits), Fault::TextTooLong { max: 10 });
    assert_eq!(fault("<a b='1' c='2' d='3'/>", limits), Fault::TooManyAttributes);
    assert_eq!(fault("<a xmlns:b='1' xmlns:c='2'/>", limits), Fault::TooManyAttributes);
    let deep = "<a>".repeat(20_000);
    assert_eq!(fault(&deep, Limits::LINK), Fault::TooDeep { max: 32 });
}
