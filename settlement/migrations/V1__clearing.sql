-- Clearing files and what they present. Amounts are minor units, currencies ISO 4217 numbers, times
-- microseconds since 1970.

-- One row a file. Rows are never deleted: sequence numbers of an endpoint and date have no gaps.
create table settlement.clearing_file (
  endpoint text not null,
  business_date date not null,
  sequence int4 not null check (sequence between 1 and 99999),
  file_id text not null unique,
  network text not null,
  state text not null check (state in ('frozen', 'published', 'void')),
  -- The endpoint's settings when it was frozen: a later run makes the same bytes.
  settings text not null,
  frozen_at int8 not null,
  items int8 not null check (items >= 0),
  -- What the ledger's journals moved, net by currency: [[978, "1450"], ...].
  ledger_net text not null,
  manifest text,
  sha256 text,
  published_at int8,
  primary key (endpoint, business_date, sequence),
  check ((state = 'published') <= (manifest is not null and sha256 is not null and published_at is not null))
);
comment on table settlement.clearing_file is 'A voided number stays, as void; it is never used again';

-- Two runs at once cannot make two files of one date.
create unique index clearing_file_live on settlement.clearing_file (endpoint, business_date) where state <> 'void';

-- One row a presentment. (payment, presentment) is what makes every item reach the scheme once.
create table settlement.clearing_item (
  payment uuid not null,
  presentment int2 not null check (presentment > 0),
  endpoint text not null,
  business_date date not null,
  sequence int4 not null,
  shard int2 not null,
  capture_seq int8 not null check (capture_seq > 0),
  movement text not null check (movement in ('sale', 'refund', 'sale_reversal', 'refund_reversal')),
  amount int8 not null check (amount > 0),
  currency int2 not null,
  ard text not null check (ard ~ '^[0-9]{23}$'),
  primary key (payment, presentment),
  unique (shard, capture_seq),
  foreign key (endpoint, business_date, sequence) references settlement.clearing_file
);
create index clearing_item_file on settlement.clearing_item (endpoint, business_date, sequence);

-- A reference comes once forward and once taken back.
create unique index clearing_item_reference on settlement.clearing_item (ard, movement) where movement in ('sale', 'refund');

-- Payments as they were sent to a network, captured or not. It stands here until the ledger publishes
-- a view of it; nothing else in this schema reads the ledger's tables.
create view settlement.leg as
select p.shard, p.id as payment, p.kind, ledger.state_name(p.state) as state, p.currency, p.approved, p.approval,
  f.egress ->> 'link' as network, f.egress ->> 'system' as system, (f.egress ->> 'stan')::int4 as stan,
  f.egress ->> 'rrn' as rrn, e.network_id, e.settlement_date
from ledger.payment p
join ledger.item i on i.shard = p.shard and i.block = p.block and i.idx = p.idx
left join ledger.item r on r.shard = p.shard and r.block = p.egress_block and r.idx = p.egress_idx
cross join lateral (
  select coalesce(r.body::json #> '{payment,change,egress}', i.body::json #> '{payment,open,facts,egress}') as egress
) f
left join lateral (
  select v.network_id, v.settlement_date from ledger.evidence v
  where v.shard = p.shard and v.payment = p.id
  order by v.block desc, v.idx desc limit 1
) e on true
where p.kind <> 'transfer' and f.egress is not null;

grant usage on schema settlement to switchyard_runtime;
grant select, insert on settlement.clearing_file, settlement.clearing_item to switchyard_runtime;
grant update (state, manifest, sha256, published_at) on settlement.clearing_file to switchyard_runtime;
grant select on settlement.leg to switchyard_runtime;
