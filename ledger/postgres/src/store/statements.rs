//! The statements that write a batch. Each takes the shard, the block and one array per column.

/// One statement of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Fence and head.
    Gate,
    /// The block's own row.
    Block,
    /// Claims and tombstones.
    Claims,
    /// Payments that begin.
    PaymentsOpened,
    /// Payments that change.
    PaymentsChanged,
    /// Their history.
    Events,
    /// Answers for repeats.
    Answers,
    /// New accounts.
    AccountsOpened,
    /// Accounts that were there.
    AccountsMoved,
    /// Journals.
    Journals,
    /// Their lines.
    Entries,
    /// New holds.
    HoldsPlaced,
    /// Holds that end.
    HoldsReleased,
    /// Items for the scheme's money.
    Captures,
    /// Messages owed.
    LanesOwed,
    /// Messages not owed any more.
    LanesEnded,
    /// Facts for disputes.
    Evidence,
    /// Days that begin.
    DaysOpened,
    /// Days that end.
    DaysClosed,
    /// Events for others.
    Outbox,
    /// What the chain hashes.
    Items,
}

/// Every step with its text.
///
/// A row that is not as expected raises an error inside the transaction (`ledger.expect`), since the
/// COMMIT is on its way already when we could count ourselves.
///
/// Where stored rows are looked up, the rows that look them up are materialized with their shard. A
/// plain `shard = $1` would be a filter that the planner, on a table without statistics yet, believes
/// to leave one row; it would then go through the whole shard for each row of the batch.
pub(crate) const STATEMENTS: [(Step, &str); 21] = [
    (Step::Gate, "select ledger.gate($1, $2, $3::int8, $4::bytea)"),
    (
        Step::Block,
        "insert into ledger.block (shard, number, previous, root, hash, epoch, items, at, marks)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    ),
    (
        Step::Claims,
        "insert into ledger.claim (shard, block, key, body, payment, tombstone, day, idx)
         select $1, $2, * from unnest($3::bytea[], $4::bytea[], $5::uuid[], $6::bool[], $7::date[], $8::int4[])",
    ),
    (
        Step::PaymentsOpened,
        "insert into ledger.payment (shard, block, id, version, state, kind, rrn, acquirer, terminal, merchant, link, amount,
           currency, approved, captured, captures, capture_date, approval, code,
           approved_late, idx, egress_block, egress_idx)
         select $1, $2, * from unnest($3::uuid[], $4::int4[], $5::int2[], $6::text[], $7::text[], $8::text[],
           $9::text[], $10::text[], $11::text[], $12::int8[], $13::int2[], $14::int8[], $15::int8[], $16::int2[], $17::date[],
           $18::text[], $19::text[], $20::bool[], $21::int4[], $22::int8[], $23::int4[])",
    ),
    (
        Step::PaymentsChanged,
        "with t as materialized (
           select $1 as shard, * from unnest($3::uuid[], $4::int4[], $5::int4[], $6::int2[], $7::int8[], $8::int8[], $9::int2[],
             $10::date[], $11::text[], $12::text[], $13::bool[], $14::int4[])
             as t(id, before, version, state, approved, captured, captures, capture_date, approval, code, approved_late,
               egress_idx)),
         changed as (
           update ledger.payment p set version = t.version, state = t.state, approved = t.approved, captured = t.captured,
             captures = t.captures, capture_date = t.capture_date, approval = t.approval, code = t.code,
             approved_late = t.approved_late,
             egress_block = case when t.egress_idx is null then p.egress_block else $2 end,
             egress_idx = coalesce(t.egress_idx, p.egress_idx)
           from t where p.shard = t.shard and p.id = t.id and p.version = t.before
           returning 1)
         select ledger.expect('payment', (select count(*) from changed), cardinality($3::uuid[]))",
    ),
    (
        Step::Events,
        "insert into ledger.event (shard, block, payment, version, state, cause, at, idx)
         select $1, $2, * from unnest($3::uuid[], $4::int4[], $5::int2[], $6::int2[], $7::timestamptz[], $8::int4[])",
    ),
    (
        Step::Answers,
        "with t as materialized (
           select $1 as shard, * from unnest($3::bytea[], $4::text[], $5::int4[]) as t(key, answer, idx)),
         added as (
           insert into ledger.answer (shard, block, key, answer, idx)
           select t.shard, $2, t.key, t.answer, t.idx from t join ledger.claim c on c.shard = t.shard and c.key = t.key
           returning 1)
         select ledger.expect('claim', (select count(*) from added), cardinality($3::bytea[]))",
    ),
    (
        Step::AccountsOpened,
        "insert into ledger.account (shard, id, code, currency, floor_minor, posted_debit, posted_credit, pending_debit, version)
         select $1, t.* from unnest($3::int8[], $4::text[], $5::int2[], $6::int8[], $7::int8[], $8::int8[], $9::int8[],
           $10::int8[]) as t",
    ),
    (
        Step::AccountsMoved,
        "with t as materialized (
           select $1 as shard, * from unnest($3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int8[])
             as t(id, before, posted_debit, posted_credit, pending_debit, version)),
         changed as (
           update ledger.account a set posted_debit = t.posted_debit, posted_credit = t.posted_credit,
             pending_debit = t.pending_debit, version = t.version
           from t where a.shard = t.shard and a.id = t.id and a.version = t.before
           returning 1)
         select ledger.expect('account', (select count(*) from changed), cardinality($3::int8[]))",
    ),
    (
        Step::Journals,
        "insert into ledger.journal (shard, block, number, kind, date, payment, at, idx)
         select $1, $2, * from unnest($3::int8[], $4::int2[], $5::date[], $6::uuid[], $7::timestamptz[], $8::int4[])",
    ),
    (
        Step::Entries,
        "insert into ledger.entry (shard, journal, line, account, version, side, amount, currency, balance_after)
         select $1, t.* from unnest($3::int8[], $4::int2[], $5::int8[], $6::int8[], $7::text[], $8::int8[], $9::int2[],
           $10::int8[]) as t",
    ),
    (
        Step::HoldsPlaced,
        "insert into ledger.hold (shard, block, payment, account, amount, currency, idx, released_block, released_idx, released)
         select $1, $2, t.*, t.released_idx is not null
         from unnest($3::uuid[], $4::int8[], $5::int8[], $6::int2[], $7::int4[], $8::int8[], $9::int4[])
           as t(payment, account, amount, currency, idx, released_block, released_idx)",
    ),
    (
        Step::HoldsReleased,
        "with t as materialized (
           select $1 as shard, * from unnest($3::uuid[], $4::int8[], $5::int8[], $6::int4[]) as t(payment, account, amount, idx)),
         changed as (
           update ledger.hold h set released = true, released_block = $2, released_idx = t.idx
           from t where h.shard = t.shard and h.payment = t.payment and h.account = t.account and h.amount = t.amount
             and not h.released
           returning 1)
         select ledger.expect('hold', (select count(*) from changed), cardinality($3::uuid[]))",
    ),
    (
        Step::Captures,
        "insert into ledger.capture (shard, block, seq, payment, number, date, kind, clearing, network, amount, currency, idx)
         select $1, $2, * from unnest($3::int8[], $4::uuid[], $5::int2[], $6::date[], $7::text[], $8::text[],
           $9::text[], $10::int8[], $11::int2[], $12::int4[])",
    ),
    (
        Step::LanesOwed,
        "with t as materialized (
           select $1 as shard, * from unnest($3::uuid[], $4::int2[], $5::text[], $6::text[], $7::timestamptz[], $8::int4[],
             $9::text[], $10::text[], $11::int8[], $12::int4[])
             as t(payment, number, link, kind, not_before, idx, ended, ended_code, ended_block, ended_idx)),
         added as (
           insert into ledger.lane (shard, payment, number, link, kind, not_before, idx, ended, ended_code, ended_block,
             ended_idx, block)
           select t.*, $2 from t join ledger.payment p on p.shard = t.shard and p.id = t.payment
           returning 1)
         select ledger.expect('payment of a lane', (select count(*) from added), cardinality($3::uuid[]))",
    ),
    (
        Step::LanesEnded,
        "with t as materialized (
           select $1 as shard, * from unnest($3::uuid[], $4::int2[], $5::text[], $6::text[], $7::int4[])
             as t(payment, number, ended, code, idx)),
         changed as (
           update ledger.lane l set ended = t.ended, ended_code = t.code, ended_block = $2, ended_idx = t.idx
           from t where l.shard = t.shard and l.payment = t.payment and l.number = t.number and l.ended is null
           returning 1)
         select ledger.expect('lane', (select count(*) from changed), cardinality($3::uuid[]))",
    ),
    (
        Step::Evidence,
        "insert into ledger.evidence (shard, block, payment, idx, card_sequence, approved, approved_currency, response_icc,
           merchant_category, entry_mode, condition, pos_data, eci, acceptor, emv_9f26, emv_9f27, emv_9f10, emv_9f37, emv_9f36,
           emv_95, emv_9a, emv_9c, emv_9f02, emv_5f2a, emv_82, emv_9f1a, emv_9f03, emv_9f33, emv_9f34, emv_9f35, emv_9f1e,
           emv_84, emv_9f09, emv_9f41, code, approval, network_id, settlement_date, avs_result, cvv_result,
           authentication_result)
         select $1, $2, * from unnest($3::uuid[], $4::int4[], $5::int2[], $6::int8[], $7::int2[], $8::bytea[],
           $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[],
           $18::text[], $19::text[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[], $25::text[], $26::text[],
           $27::text[], $28::text[], $29::text[], $30::text[], $31::text[], $32::text[], $33::text[], $34::text[], $35::text[],
           $36::text[], $37::text[], $38::text[], $39::text[], $40::text[], $41::text[])",
    ),
    (
        Step::DaysOpened,
        "insert into ledger.business_day (shard, opened_block, day, opened_idx, closed_block, closed_idx)
         select $1, $2, * from unnest($3::date[], $4::int4[], $5::int8[], $6::int4[])",
    ),
    (
        Step::DaysClosed,
        "with t as materialized (select $1 as shard, * from unnest($3::date[], $4::int4[]) as t(day, idx)),
         changed as (
           update ledger.business_day d set closed_block = $2, closed_idx = t.idx
           from t where d.shard = t.shard and d.day = t.day and d.closed_block is null
           returning 1)
         select ledger.expect('day', (select count(*) from changed), cardinality($3::date[]))",
    ),
    (
        Step::Outbox,
        "insert into ledger.outbox (shard, block, number, topic, payment, at, idx)
         select $1, $2, * from unnest($3::int8[], $4::text[], $5::uuid[], $6::timestamptz[], $7::int4[])",
    ),
    (Step::Items, "insert into ledger.item (shard, block, idx, body) select $1, $2, * from unnest($3::int4[], $4::text[])"),
];

/// What a connection is set to before it writes. Plans are made once and never depend on how full a
/// table was at that moment; a transaction that stands still is one whose client is gone.
pub(crate) const WRITER_SESSION: &str = "
set application_name = 'switchyard writer';
set plan_cache_mode = force_generic_plan;
set enable_seqscan = off;
set enable_bitmapscan = off;
set enable_hashjoin = off;
set enable_mergejoin = off;
set jit = off;
set idle_in_transaction_session_timeout = '10s';
set lock_timeout = '10s';
set statement_timeout = 0";
