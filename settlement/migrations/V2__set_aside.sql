-- Captures that cannot be presented, and what reconciliations found. Amounts are minor units, currencies ISO 4217
-- numbers, times microseconds since 1970.

-- What a reader of the record should know, such as local_time_of_acceptance.
alter table settlement.clearing_item add column note text;

-- One row a capture that was due for a file and stands in none. With clearing_item it is what the ledger captured.
create table settlement.set_aside (
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
  reason text not null,
  primary key (payment, presentment),
  unique (shard, capture_seq),
  foreign key (endpoint, business_date, sequence) references settlement.clearing_file
);
create index set_aside_file on settlement.set_aside (endpoint, business_date, sequence);

-- One row a reconciliation, as it was found.
create table settlement.reconciliation (
  network text not null,
  number int4 not null check (number > 0),
  reconciled_at int8 not null,
  report_sha256 text not null,
  -- The last business date whose captures were frozen.
  through date not null,
  -- Whether it proves that the books agree.
  proves boolean not null,
  population text not null,
  breaks text not null,
  primary key (network, number)
);

grant select, insert on settlement.set_aside, settlement.reconciliation to switchyard_runtime;
