-- The record of payments. `shard` leads every key. Facts (blocks, items, events, claims, answers,
-- journals, entries, captures, evidence, outbox) are written once; what changes (payments, accounts,
-- holds, lanes, days) changes in few, narrow, unindexed columns. `(block, idx)` names the item of
-- the audit chain that a row came from.
--
-- Amounts are minor units, currencies ISO 4217 numbers.

-- Who may write a shard. Its row is locked by every commit, so that taking a new epoch waits for a
-- commit that still runs and shuts out what comes later.
create table ledger.writer_epoch (
  shard int2 primary key check (shard >= 0),
  epoch int8 not null check (epoch > 0),
  owner uuid not null,
  at timestamptz not null
) with (fillfactor = 10);

-- The audit chain: one row a commit.
create table ledger.block (
  shard int2 not null,
  number int8 not null check (number > 0),
  previous bytea not null check (octet_length(previous) = 32),
  root bytea not null check (octet_length(root) = 32),
  hash bytea not null check (octet_length(hash) = 32),
  epoch int8 not null check (epoch > 0),
  items int4 not null check (items >= 0),
  at timestamptz not null,
  marks jsonb not null,
  primary key (shard, number)
);

-- What the chain hashes, byte for byte.
create table ledger.item (
  shard int2 not null,
  block int8 not null,
  idx int4 not null check (idx >= 0),
  body text not null,
  primary key (shard, block, idx)
);

create table ledger.claim (
  shard int2 not null,
  key bytea not null check (octet_length(key) = 16),
  body bytea not null check (octet_length(body) = 16),
  payment uuid,
  tombstone bool not null check (not (tombstone and payment is not null)),
  day date not null,
  block int8 not null,
  idx int4 not null,
  primary key (shard, key)
);

-- Answers for repeats of a claim; the latest stands, the earlier ones stay as facts.
create table ledger.answer (
  shard int2 not null,
  key bytea not null check (octet_length(key) = 16),
  answer text not null,
  block int8 not null,
  idx int4 not null,
  primary key (shard, key, block, idx)
);

-- Where a payment stands, and by what it is found. Its facts are in the item that (block, idx) names,
-- after a failover with the egress of the item that (egress_block, egress_idx) names. No index covers a column that changes, so that a change stays on its page.
create table ledger.payment (
  shard int2 not null,
  id uuid not null,
  version int4 not null check (version > 0),
  state int2 not null,
  kind text not null check (kind in ('purchase', 'authorization', 'refund', 'transfer')),
  rrn text not null,
  acquirer text not null,
  terminal text,
  merchant text,
  link text not null,
  amount int8 not null check (amount >= 0),
  currency int2 not null,
  approved int8 not null check (approved >= 0),
  captured int8 not null check (captured >= 0),
  captures int2 not null check (captures >= 0),
  capture_date date,
  approval text,
  code text,
  block int8 not null,
  idx int4 not null,
  egress_block int8,
  egress_idx int4,
  primary key (shard, id),
  check ((egress_block is null) = (egress_idx is null))
) with (fillfactor = 60);

-- Serves a terminal's look-up (all three) and an operator's trace (DE37 alone).
create index payment_rrn on ledger.payment (rrn, shard, terminal);

create table ledger.event (
  shard int2 not null,
  payment uuid not null,
  version int4 not null check (version > 0),
  state int2 not null,
  cause int2 not null,
  at timestamptz not null,
  block int8 not null,
  idx int4 not null,
  primary key (shard, payment, version)
);

create table ledger.account (
  shard int2 not null,
  id int8 not null check (id > 0),
  code text not null,
  currency int2 not null,
  floor_minor int8,
  posted_debit int8 not null check (posted_debit >= 0),
  posted_credit int8 not null check (posted_credit >= 0),
  pending_debit int8 not null check (pending_debit >= 0),
  version int8 not null check (version >= 0),
  primary key (shard, id),
  unique (shard, code, currency),
  constraint account_floor check (floor_minor is null or posted_credit - posted_debit - pending_debit >= floor_minor)
) with (fillfactor = 50);

create table ledger.journal (
  shard int2 not null,
  number int8 not null check (number > 0),
  kind int2 not null,
  date date not null,
  payment uuid,
  at timestamptz not null,
  block int8 not null,
  idx int4 not null,
  primary key (shard, number)
);

-- (account, version) counts an account's entries without gaps: its statement, and its balance at any
-- point of it.
create table ledger.entry (
  shard int2 not null,
  journal int8 not null,
  line int2 not null check (line > 0),
  account int8 not null,
  version int8 not null check (version > 0),
  side text not null check (side in ('D', 'C')),
  amount int8 not null check (amount > 0),
  currency int2 not null,
  balance_after int8 not null,
  primary key (shard, journal, line),
  unique (shard, account, version)
);

create table ledger.hold (
  shard int2 not null,
  payment uuid not null,
  account int8 not null,
  amount int8 not null check (amount >= 0),
  currency int2 not null,
  released bool not null,
  block int8 not null,
  idx int4 not null,
  released_block int8,
  released_idx int4,
  primary key (shard, payment),
  check (released = (released_block is not null) and released = (released_idx is not null))
) with (fillfactor = 70);

-- One item for the scheme's money: (payment, number) makes it once.
create table ledger.capture (
  shard int2 not null,
  seq int8 not null check (seq > 0),
  payment uuid not null,
  number int2 not null check (number > 0),
  date date not null,
  kind text not null check (kind in ('sale', 'refund', 'void', 'credit')),
  clearing text not null check (clearing in ('presentment', 'online')),
  network text not null,
  amount int8 not null check (amount >= 0),
  currency int2 not null,
  block int8 not null,
  idx int4 not null,
  primary key (shard, seq),
  unique (shard, payment, number)
);
create index capture_date on ledger.capture (shard, date, seq);

-- Messages owed to networks and banks, with all that sending them needs in the item that they name.
create table ledger.lane (
  shard int2 not null,
  payment uuid not null,
  number int2 not null check (number > 0),
  link text not null,
  kind text not null check (kind in ('reversal', 'advice', 'enquiry')),
  not_before timestamptz not null,
  block int8 not null,
  idx int4 not null,
  ended text check (ended in ('acknowledged', 'dead')),
  ended_code text,
  ended_block int8,
  ended_idx int4,
  primary key (shard, payment, number),
  check ((ended is null) = (ended_block is null) and (ended is null) = (ended_idx is null))
) with (fillfactor = 70);
create index lane_open on ledger.lane (shard, payment, number) where ended is null;

-- What presentment and disputes ask for. Null where it did not come.
create table ledger.evidence (
  shard int2 not null,
  payment uuid not null,
  block int8 not null,
  idx int4 not null,
  merchant_category text,
  entry_mode text,
  condition text,
  pos_data text,
  eci text,
  card_sequence int2,
  acceptor text,
  emv_9f26 text,
  emv_9f27 text,
  emv_9f10 text,
  emv_9f37 text,
  emv_9f36 text,
  emv_95 text,
  emv_9a text,
  emv_9c text,
  emv_9f02 text,
  emv_5f2a text,
  emv_82 text,
  emv_9f1a text,
  emv_9f03 text,
  emv_9f33 text,
  emv_9f34 text,
  emv_9f35 text,
  emv_9f1e text,
  emv_84 text,
  emv_9f09 text,
  emv_9f41 text,
  code text not null,
  approval text,
  approved int8,
  approved_currency int2,
  network_id text,
  settlement_date text,
  avs_result text,
  cvv_result text,
  authentication_result text,
  response_icc bytea,
  primary key (shard, payment, block, idx)
);
comment on column ledger.evidence.merchant_category is 'DE18';
comment on column ledger.evidence.entry_mode is 'DE22';
comment on column ledger.evidence.condition is 'DE25';
comment on column ledger.evidence.pos_data is 'DE61';
comment on column ledger.evidence.card_sequence is 'DE23';
comment on column ledger.evidence.acceptor is 'DE43';
comment on column ledger.evidence.code is 'DE39 of the answer';
comment on column ledger.evidence.approval is 'DE38 of the answer';
comment on column ledger.evidence.settlement_date is 'DE15 of the answer, MMDD';
comment on column ledger.evidence.response_icc is 'DE55 of the answer';

create table ledger.business_day (
  shard int2 not null,
  day date not null,
  opened_block int8 not null,
  opened_idx int4 not null,
  closed_block int8,
  closed_idx int4,
  primary key (shard, day),
  check ((closed_block is null) = (closed_idx is null))
);

-- Numbered without gaps, for consumers that ask for what comes after a number.
create table ledger.outbox (
  shard int2 not null,
  number int8 not null check (number > 0),
  topic text not null,
  payment uuid not null,
  at timestamptz not null,
  block int8 not null,
  idx int4 not null,
  primary key (shard, number)
);

-- Bodies are JSON of about two kilobytes; where the server has lz4 it is the cheaper way to pack the
-- longer ones.
do $$
begin
  alter table ledger.item alter column body set compression lz4;
exception
  when feature_not_supported then null;
end
$$;

-- What a commit checks inside its transaction. An exception there turns the COMMIT that is already
-- on its way into a rollback. Codes: SW001 a row that was to change is not as expected, SW002 fenced
-- (the detail is the epoch that holds the shard), SW003 the block before is not the head, SW004 a
-- fact was to be changed.

create function ledger.gate(of_shard int2, my_epoch int8, next int8, previous bytea) returns void language plpgsql as $$
declare
  held int8;
  head bytea;
begin
  select w.epoch into held from ledger.writer_epoch w where w.shard = of_shard for share;
  if held is distinct from my_epoch then
    raise exception 'fenced' using errcode = 'SW002', detail = coalesce(held, 0)::text;
  end if;
  if next > 1 then
    select b.hash into head from ledger.block b where b.shard = of_shard and b.number = next - 1;
  else
    head := decode(repeat('00', 32), 'hex');
  end if;
  if head is distinct from previous or exists (select 1 from ledger.block b where b.shard = of_shard and b.number = next) then
    raise exception 'block % does not follow the head', next using errcode = 'SW003';
  end if;
end
$$;

create function ledger.expect(what text, changed int8, wanted int8) returns void language plpgsql as $$
begin
  if changed is distinct from wanted then
    raise exception '% of % rows of % are as expected', changed, wanted, what using errcode = 'SW001';
  end if;
end
$$;

create function ledger.keep() returns trigger language plpgsql as $$
begin
  raise exception '% on ledger.%: facts are never changed', tg_op, tg_table_name using errcode = 'SW004';
end
$$;

-- Statement triggers cost nothing per row. `always`: a session that replays replication does not
-- get past them either.
do $$
declare
  fact text;
begin
  foreach fact in array array['block', 'item', 'claim', 'answer', 'event', 'journal', 'entry', 'capture', 'evidence', 'outbox']
  loop
    execute format('create trigger keep before update or delete or truncate on ledger.%I for each statement execute function ledger.keep()', fact);
    execute format('alter table ledger.%I enable always trigger keep', fact);
  end loop;
  foreach fact in array array['writer_epoch', 'payment', 'account', 'hold', 'lane', 'business_day']
  loop
    execute format('create trigger keep before delete or truncate on ledger.%I for each statement execute function ledger.keep()', fact);
    execute format('alter table ledger.%I enable always trigger keep', fact);
  end loop;
end
$$;

-- The columns of rows that do change which never do.
create trigger keep_identity before update of shard, id, kind, rrn, acquirer, terminal, merchant, link, amount, currency, block, idx
  on ledger.payment for each statement execute function ledger.keep();
create trigger keep_identity before update of shard, id, code, currency, floor_minor
  on ledger.account for each statement execute function ledger.keep();
create trigger keep_identity before update of shard, payment, account, amount, currency, block, idx
  on ledger.hold for each statement execute function ledger.keep();
create trigger keep_identity before update of shard, payment, number, link, kind, not_before, block, idx
  on ledger.lane for each statement execute function ledger.keep();
create trigger keep_identity before update of shard, day, opened_block, opened_idx
  on ledger.business_day for each statement execute function ledger.keep();

-- The runtime role adds facts and moves what moves; it can do nothing else.
grant usage on schema ledger to switchyard_runtime;
grant select on all tables in schema ledger to switchyard_runtime;
grant insert on ledger.block, ledger.item, ledger.claim, ledger.answer, ledger.payment, ledger.event, ledger.account,
  ledger.journal, ledger.entry, ledger.hold, ledger.capture, ledger.lane, ledger.evidence, ledger.business_day, ledger.outbox,
  ledger.writer_epoch to switchyard_runtime;
grant update (epoch, owner, at) on ledger.writer_epoch to switchyard_runtime;
grant update (version, state, approved, captured, captures, capture_date, approval, code, egress_block, egress_idx) on ledger.payment to switchyard_runtime;
grant update (posted_debit, posted_credit, pending_debit, version) on ledger.account to switchyard_runtime;
grant update (released, released_block, released_idx) on ledger.hold to switchyard_runtime;
grant update (ended, ended_code, ended_block, ended_idx) on ledger.lane to switchyard_runtime;
grant update (closed_block, closed_idx) on ledger.business_day to switchyard_runtime;
