"""PostgreSQL 15, as Debian ships it, doing the work of a registration and of a catch-up."""

import glob
import os
import pwd
import shutil
import subprocess
import time

from bench_common import PAYLOAD_SIZE, TEXT, free_port, print_line, wait_until

SHOWN_SETTINGS = ("server_version", "fsync", "synchronous_commit", "wal_sync_method",
                  "full_page_writes", "shared_buffers", "max_wal_size", "checkpoint_timeout",
                  "wal_level", "data_checksums")

# What a registration leaves behind: found by code, by citizen, by idempotency key; counted.
SCHEMA = """
CREATE TABLE request (
    id              bigserial PRIMARY KEY,
    idempotency_key uuid NOT NULL UNIQUE,
    code            text NOT NULL UNIQUE,
    citizen         bytea NOT NULL,
    kind            int NOT NULL,
    channel         int NOT NULL,
    subject         int NOT NULL,
    name            text NOT NULL,
    phone           text NOT NULL,
    place           text NOT NULL,
    body            text NOT NULL,
    occurred_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX request_citizen ON request (citizen);
CREATE TABLE counter (kind int, subject int, count bigint NOT NULL, PRIMARY KEY (kind, subject));
INSERT INTO counter SELECT kind, subject, 0 FROM generate_series(0, 8) kind,
                                                 generate_series(0, 24) subject;
"""

# One statement, so one round trip and one commit. Idempotency keys ascend in time, as clients are
# told to make them (UUIDv7); code and citizen are random, as they are.
REGISTRATION = f"""
\\set n :n + 1
\\set code random(10000000000000, 99999999999999)
\\set citizen random(100000000, 999999999)
\\set kind random(0, 8)
\\set subject random(0, 24)
WITH registered AS (
    INSERT INTO request (idempotency_key, code, citizen, kind, channel, subject, name, phone,
                         place, body)
    VALUES (lpad(to_hex((:n)::bigint * 65536 + :client_id), 32, '0')::uuid, (:code)::text,
            decode(md5((:citizen)::text), 'hex'), :kind, 1, :subject, 'زهرا احمدی',
            '+98914' || (:citizen)::text, 'IR-24/اردبیل', '{TEXT}'))
UPDATE counter SET count = count + 1 WHERE kind = :kind AND subject = :subject;
"""


CAUGHT_UP = """
DO $$ BEGIN
    FOR turn IN 1..90000 LOOP
        EXIT WHEN (SELECT bool_and(confirmed_flush_lsn >= '{end}') FROM pg_replication_slots);
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;
SELECT extract(epoch FROM clock_timestamp() - '{begin}'::timestamptz)
"""
LINKS = "SELECT count(*) FROM pg_stat_replication"


def folder_of_programs():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/pgbench"))
    if not found:
        raise FileNotFoundError("no PostgreSQL under /usr/lib/postgresql")
    return os.path.dirname(found[-1])


class PostgreSQL:
    """A server of its own: a new cluster in `folder`, with the settings a new cluster has."""

    def __init__(self, folder, name, settings=()):
        self.programs = folder_of_programs()
        self.data = os.path.join(folder, name)
        self.port = free_port()
        self.settings = settings
        self.sockets = os.path.join(folder, name + ".sockets")
        self.log = os.path.join(folder, name + ".log")
        # PostgreSQL refuses to run as root; its package made this user.
        self.as_user = []
        os.makedirs(self.sockets, exist_ok=True)
        os.mkdir(self.data, 0o700)
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            self.as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}",
                            "--clear-groups"]
            with open(self.log, "wb"):
                pass
            for path in (self.sockets, self.data, self.log):
                os.chown(path, user.pw_uid, user.pw_gid)

    def _run(self, program, *arguments, **keywords):
        command = self.as_user + [os.path.join(self.programs, program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/",
                              **keywords)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def __enter__(self):
        self._run("initdb", "-D", self.data, "-U", "bench", "--auth=trust", "-E", "UTF8",
                  "--no-locale")
        options = f"-p {self.port} -k {self.sockets} -c listen_addresses=127.0.0.1"
        for setting in self.settings:
            options += f" -c {setting}"
        # Not captured: the server would keep the pipe open.
        subprocess.run(self.as_user + [os.path.join(self.programs, "pg_ctl"), "-D", self.data, "-w",
                                       "-l", self.log, "-o", options, "start"],
                       check=True, stdout=subprocess.DEVNULL, cwd="/")
        return self

    def __exit__(self, *_):
        subprocess.run(self.as_user + [os.path.join(self.programs, "pg_ctl"), "-D", self.data, "-w",
                                       "-m", "immediate", "stop"],
                       check=False, stdout=subprocess.DEVNULL, cwd="/")
        shutil.rmtree(self.data, ignore_errors=True)

    def sql(self, text):
        return self._run("psql", "-h", self.sockets, "-p", str(self.port), "-U", "bench", "-d",
                         "postgres", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-",
                         input=text).strip()

    def pgbench(self, script, clients, transactions):
        return self._run("pgbench", "-h", self.sockets, "-p", str(self.port), "-U", "bench", "-n",
                         "-M", "prepared", "-c", str(clients), "-j", "2", "-t", str(transactions),
                         "-D", "n=0", "-f", script, "postgres")

    def shown_settings(self):
        return {name: self.sql(f"SHOW {name}") for name in SHOWN_SETTINGS}


def pgbench_value(report, label):
    for line in report.splitlines():
        if line.startswith(label):
            return float(line.split("=")[1].split()[0])
    raise ValueError(f"no {label} in what pgbench printed:\n{report}")


def registrations(folder, count, clients):
    """Registrations per second over `count` of them into an empty table."""
    script = os.path.join(folder, "registration.sql")
    with open(script, "w", encoding="utf-8") as file:
        file.write(REGISTRATION)
    with PostgreSQL(folder, "registrations") as server:
        settings = server.shown_settings()
        server.sql(SCHEMA)
        per_client = count // clients
        start = time.perf_counter()
        report = server.pgbench(script, clients, per_client)
        seconds = time.perf_counter() - start
        done = per_client * clients
        rows, counted, row_bytes = server.sql(
            "SELECT count(*), (SELECT sum(count) FROM counter), "
            "avg(pg_column_size(request.*))::int FROM request").split("|")
        if int(rows) != done or int(counted) != done:
            raise RuntimeError(f"PostgreSQL holds {rows} rows and counted {counted} of {done}")
        rate = pgbench_value(report, "tps")
        print_line(bench="postgresql", case=f"registration, {clients} clients", count=done,
                   per_second=round(rate), seconds=round(seconds, 1),
                   mean_ms=pgbench_value(report, "latency average"), record_bytes=int(row_bytes),
                   batch=1, durable="every commit synced", settings=settings)
        return rate


def catch_up(folder, count, batch):
    """Rows per second from link up until all are durable at the subscriber; rows were committed
    `batch` at a time at the publisher."""
    publisher = PostgreSQL(folder, "publisher", ("wal_level=logical",))
    subscriber = PostgreSQL(folder, "subscriber")
    table = "CREATE TABLE record (position bigint PRIMARY KEY, payload bytea NOT NULL)"
    with publisher, subscriber:
        for server in (publisher, subscriber):
            server.sql(table)
        settings = publisher.shown_settings()
        publisher.sql("CREATE PUBLICATION records FOR TABLE record;")
        subscriber.sql("CREATE SUBSCRIPTION records CONNECTION 'host=127.0.0.1 "
                       f"port={publisher.port} user=bench dbname=postgres' PUBLICATION records "
                       "WITH (copy_data = false, create_slot = true);")
        subscriber.sql("ALTER SUBSCRIPTION records DISABLE;")
        wait_until(lambda: publisher.sql(LINKS) == "0",
                   "the subscription pauses", 30)
        fill(publisher, count, batch)
        end = publisher.sql("SELECT pg_current_wal_flush_lsn()")
        subscriber.sql("ALTER SUBSCRIPTION records ENABLE;")
        # Link up to the publisher's word that the subscriber has flushed it: its receipt. The five
        # seconds that a subscription waits before it connects again are not counted.
        wait_until(lambda: publisher.sql(LINKS) == "1", "the subscriber connects", 60)
        begin = publisher.sql("SELECT backend_start FROM pg_stat_replication")
        seconds = float(publisher.sql(CAUGHT_UP.format(end=end, begin=begin)))
        held = int(subscriber.sql("SELECT count(*) FROM record"))
        if held != count:
            raise RuntimeError(f"the subscriber holds {held} rows of {count}")
        print_line(bench="postgresql", case="logical replication catch-up", count=count,
                   per_second=round(count / seconds), seconds=round(seconds, 2),
                   record_bytes=PAYLOAD_SIZE, batch=batch, durable="flushed at the subscriber",
                   link="plain TCP on loopback, nothing verified", settings=settings)
        return count / seconds


def fill(server, count, batch):
    # Bytes that do not compress, but cheap to make.
    server.sql(f"""
        CREATE PROCEDURE fill() LANGUAGE plpgsql AS $$
        BEGIN
            FOR start IN 0..{count - 1} BY {batch} LOOP
                INSERT INTO record
                    SELECT n, decode(repeat(md5(n::text), {PAYLOAD_SIZE // 16}), 'hex')
                    FROM generate_series(start + 1, least(start + {batch}, {count})) n;
                COMMIT;
            END LOOP;
        END $$;
        SET synchronous_commit = off; -- filling is not what is measured
        CALL fill();
        SELECT pg_switch_wal();""")
