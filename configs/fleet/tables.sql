-- What a fleet of edgetrack devices says, in PostgreSQL 13 or newer; with TimescaleDB, see the end of this file.
-- psql DATABASE -f tables.sql; it may be run again at any time.
--
-- Everything comes in through take(topic, payload), whoever calls it: to_postgres.py beside this file, a rule of EMQX with
-- its PostgreSQL sink, or psql itself. Whatever comes twice is stored once.

CREATE SCHEMA IF NOT EXISTS edgetrack;
SET search_path TO edgetrack;

-- What happens once, numbered without a gap per device and camera: crossings, visits, starts and ends of tracks, steps of
-- the pace. (device, camera, boot, seq) is one event; its ts is always the same, and stands in the key for TimescaleDB.
CREATE TABLE IF NOT EXISTS events (
    device      text        NOT NULL,
    camera      text        NOT NULL,
    boot        text        NOT NULL,
    seq         bigint      NOT NULL,
    ts          timestamptz NOT NULL,
    arrived     timestamptz NOT NULL DEFAULT now(),
    replayed    boolean     NOT NULL DEFAULT false,
    kind        text        NOT NULL,   -- start, end, line_crossed, zone_entered, zone_left, dwell, pace
    track       bigint,
    class       text,
    place       text,                   -- the line or zone
    direction   text,
    duration_s  double precision,
    payload     jsonb       NOT NULL,   -- all of it: boxes, scores, reasons
    PRIMARY KEY (device, camera, boot, seq, ts)
);
CREATE INDEX IF NOT EXISTS events_by_time ON events (ts);
CREATE INDEX IF NOT EXISTS events_by_number ON events (device, camera, seq);

-- Every change of a count. Counts are cumulative, so that the newest row of an epoch is right whatever was lost before.
CREATE TABLE IF NOT EXISTS counts (
    device          text             NOT NULL,
    camera          text             NOT NULL,
    line            text             NOT NULL,
    epoch           text             NOT NULL,   -- another one whenever counting began at zero
    ts              timestamptz      NOT NULL,
    seq             bigint           NOT NULL,
    total_in        bigint           NOT NULL,
    total_out       bigint           NOT NULL,
    by_class        jsonb            NOT NULL,
    since           timestamptz      NOT NULL,
    uptime_gaps_s   double precision NOT NULL,   -- of the time since then, nobody was counting for so long
    PRIMARY KEY (device, camera, line, epoch, ts)
);

CREATE TABLE IF NOT EXISTS occupancy (
    device  text        NOT NULL,
    camera  text        NOT NULL,
    zone    text        NOT NULL,
    ts      timestamptz NOT NULL,
    total   integer     NOT NULL,
    now     jsonb       NOT NULL,
    peak    jsonb       NOT NULL,
    PRIMARY KEY (device, camera, zone, ts)
);

-- Every health report, and the device as it is now.
CREATE TABLE IF NOT EXISTS health (
    device        text             NOT NULL,
    camera        text             NOT NULL,
    ts            timestamptz      NOT NULL,
    state         text             NOT NULL,
    reason        text             NOT NULL,
    fps           double precision,
    delay_p95_ms  double precision,
    memory_mb     double precision,
    temperature_c double precision,
    dropped       bigint,                        -- pictures, since the start
    blind_s       double precision,
    queued        bigint,                        -- messages that wait for a broker
    rung          integer,                       -- of the ladder of a device at its limit
    payload       jsonb            NOT NULL,
    PRIMARY KEY (device, camera, ts)
);

CREATE TABLE IF NOT EXISTS devices (
    device  text        NOT NULL,
    camera  text        NOT NULL,
    online  boolean,
    heard   timestamptz NOT NULL,               -- when anything came of it last
    info    jsonb,                              -- version, model, lines, zones
    PRIMARY KEY (device, camera)
);

-- One message. True if it said something new.
CREATE OR REPLACE FUNCTION take(topic text, payload text) RETURNS boolean
LANGUAGE plpgsql SET search_path TO edgetrack AS $$
#variable_conflict use_variable
DECLARE
    part   text[] := regexp_match(topic, '([^/]+)/([^/]+)/(status|info|health|track/[^/]+|event/[^/]+|line/[^/]+/count|zone/[^/]+/occupancy)$');
    said   jsonb;
    stored integer;
BEGIN
    IF part IS NULL OR payload = '' THEN        -- of another kind; or a line that is no more
        RETURN false;
    END IF;
    IF part[3] = 'status' THEN
        INSERT INTO devices AS d (device, camera, online, heard) VALUES (part[1], part[2], payload = 'online', now())
        ON CONFLICT (device, camera) DO UPDATE SET online = excluded.online, heard = excluded.heard;
        RETURN true;
    END IF;
    said := payload::jsonb;
    INSERT INTO devices AS d (device, camera, heard) VALUES (part[1], part[2], now())
    ON CONFLICT (device, camera) DO UPDATE SET heard = excluded.heard WHERE d.heard < excluded.heard - interval '1 s';
    CASE said->>'schema'
        WHEN 'edgetrack.track/1', 'edgetrack.crossing/1', 'edgetrack.visit/1', 'edgetrack.pace/1' THEN
            IF said->>'type' = 'update' THEN    -- on its way from one place to the next: too much to keep
                RETURN false;
            END IF;
            INSERT INTO events (device, camera, boot, seq, ts, replayed, kind, track, class, place, direction, duration_s, payload)
            VALUES (said->>'device', said->>'camera', said->>'boot', (said->>'seq')::bigint, (said->>'ts')::timestamptz,
                    coalesce((said->>'replayed')::boolean, false), said->>'type', (said->>'track')::bigint, said->>'class',
                    coalesce(said->>'line', said->>'zone'), said->>'direction', (said->>'duration_s')::double precision, said)
            ON CONFLICT DO NOTHING;
        WHEN 'edgetrack.count/1' THEN
            INSERT INTO counts
            VALUES (said->>'device', said->>'camera', said->>'line', said->>'epoch', (said->>'ts')::timestamptz,
                    (said->>'seq')::bigint, (said->'total'->>'in')::bigint, (said->'total'->>'out')::bigint, said->'by_class',
                    (said->>'since')::timestamptz, (said->>'uptime_gaps_s')::double precision)
            ON CONFLICT DO NOTHING;
        WHEN 'edgetrack.occupancy/1' THEN
            INSERT INTO occupancy
            VALUES (said->>'device', said->>'camera', said->>'zone', (said->>'ts')::timestamptz, (said->>'total')::integer,
                    said->'now', said->'peak')
            ON CONFLICT DO NOTHING;
        WHEN 'edgetrack.health/1' THEN
            INSERT INTO health
            VALUES (said->>'device', said->>'camera', (said->>'ts')::timestamptz, said->>'state', said->>'reason',
                    (said->>'fps')::double precision, (said->'delays_ms'->>'p95')::double precision,
                    (said->>'memory_mb')::double precision, (said->>'temperature_c')::double precision,
                    (said->'capture'->>'dropped')::bigint, (said->'capture'->>'blind_s')::double precision,
                    (SELECT max((outlet->>'queued')::bigint) FROM jsonb_array_elements(said->'publish') AS outlet),
                    (said->'pace'->>'rung')::integer, said)
            ON CONFLICT DO NOTHING;
        WHEN 'edgetrack.info/1' THEN
            UPDATE devices AS d SET info = said WHERE d.device = part[1] AND d.camera = part[2];
        ELSE
            RETURN false;                       -- of a newer version
    END CASE;
    GET DIAGNOSTICS stored = ROW_COUNT;
    RETURN stored > 0;
END $$;

-- Numbers that never came. The first one known of a camera is where its history begins; an empty answer is a whole one.
CREATE OR REPLACE VIEW gaps AS
SELECT device, camera, before + 1 AS first_missing, seq - 1 AS last_missing, seq - before - 1 AS missing,
       before_ts AS after_ts, ts AS before_ts
FROM (
    SELECT device, camera, seq, ts, lag(seq) OVER numbers AS before, lag(ts) OVER numbers AS before_ts
    FROM events WINDOW numbers AS (PARTITION BY device, camera ORDER BY seq)
) AS numbered
WHERE seq > before + 1;

-- The newest count of every line.
CREATE OR REPLACE VIEW counts_now AS
SELECT DISTINCT ON (device, camera, line) *
FROM counts ORDER BY device, camera, line, ts DESC, seq DESC;

-- Crossings an hour, from the events.
CREATE OR REPLACE VIEW crossings_by_hour AS
SELECT date_trunc('hour', ts) AS hour, device, camera, place AS line, class, direction, count(*) AS crossings
FROM events WHERE kind = 'line_crossed' GROUP BY 1, 2, 3, 4, 5, 6;

-- Retention: psql -c "SELECT edgetrack.forget(interval '1 year', interval '30 days')", daily, by cron or a systemd timer.
CREATE OR REPLACE FUNCTION forget(events_after interval, health_after interval) RETURNS void
LANGUAGE sql SET search_path TO edgetrack AS $$
    DELETE FROM events WHERE ts < now() - events_after;
    DELETE FROM counts WHERE ts < now() - events_after;
    DELETE FROM occupancy WHERE ts < now() - events_after;
    DELETE FROM health WHERE ts < now() - health_after;
$$;

-- TimescaleDB, on empty tables; then drop_chunks or add_retention_policy in place of forget():
-- CREATE EXTENSION timescaledb;
-- SELECT create_hypertable('edgetrack.events', 'ts'), create_hypertable('edgetrack.counts', 'ts'),
--        create_hypertable('edgetrack.occupancy', 'ts'), create_hypertable('edgetrack.health', 'ts');
