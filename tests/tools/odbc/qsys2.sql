-- A QSYS2 for PostgreSQL: what the statements of src/source/live/statements.rs ask for, over tables that play the journal
-- QSYS/QAUDJRN, its receivers and the history log. For tests/odbc.rs; written from IBM's pages of the services, not from the product.
--
-- The SQL is PostgreSQL's own. What it cannot show: how IBM's driver gives types and blanks, Db2's errors (here a CPF id in
-- brackets, as tests/tools/ibmi has it), authority to objects, locks. Names that are not quoted are lower case here.
-- Templates are what an entry says (entries.py); entries repeat them in turn, with their own number, time and receiver.

CREATE SCHEMA ibmi;
CREATE SCHEMA qsys2;
CREATE SCHEMA sysibm;

-- ---------------------------------------------------------------------------------------------------- the simulated system

CREATE TABLE ibmi.template (
    number integer PRIMARY KEY,
    journal_code char(1) NOT NULL,
    journal_entry_type char(2) NOT NULL,
    job_name varchar(10), job_user varchar(10), job_number varchar(6),
    program_name varchar(10), program_library varchar(10),
    object varchar(30), object_type varchar(10),
    user_name varchar(10),
    remote_address varchar(46), remote_port integer,
    entry_data bytea NOT NULL
);

CREATE TABLE ibmi.receiver (
    place integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    library varchar(10) NOT NULL,
    name varchar(10) NOT NULL UNIQUE,
    first numeric(21) NOT NULL,
    last numeric(21) NOT NULL,
    attached timestamp NOT NULL,
    status varchar(8) NOT NULL,
    -- What was attached before, which may have been deleted since.
    previous varchar(10)
);

CREATE TABLE ibmi.entry (
    receiver integer NOT NULL REFERENCES ibmi.receiver ON DELETE CASCADE,
    sequence numeric(21) NOT NULL,
    stamp timestamp NOT NULL,
    template integer NOT NULL REFERENCES ibmi.template,
    PRIMARY KEY (receiver, sequence)
);

CREATE TABLE ibmi.message (
    number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id varchar(7), type varchar(13), severity smallint, stamp timestamp, from_user varchar(10), from_job varchar(28),
    from_program varchar(10), library varchar(10), file varchar(10), tokens bytea, text varchar(1024)
);

-- Every call of DISPLAY_JOURNAL that succeeded.
CREATE TABLE ibmi.asked (at timestamptz NOT NULL, first numeric(21), last numeric(21));

CREATE FUNCTION ibmi.attach(first_number numeric) RETURNS varchar LANGUAGE sql AS $$
    UPDATE ibmi.receiver SET status = 'ONLINE' WHERE status = 'ATTACHED';
    INSERT INTO ibmi.receiver (library, name, first, last, attached, status, previous)
    SELECT 'QGPL', 'AUDRCV' || lpad((coalesce(max(place), 0) + 1)::text, 4, '0'), first_number, first_number - 1,
        clock_timestamp()::timestamp, 'ATTACHED', (SELECT name FROM ibmi.receiver ORDER BY place DESC LIMIT 1)
    FROM ibmi.receiver
    RETURNING name;
$$;

-- So many entries at the end of the attached receiver.
CREATE FUNCTION ibmi.append(count integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO ibmi.entry
    SELECT r.place, r.last + n, clock_timestamp()::timestamp, (r.last + n - 1)::integer % (SELECT count(*) FROM ibmi.template)::integer
    FROM ibmi.receiver r, generate_series(1, count) n WHERE r.status = 'ATTACHED';
    UPDATE ibmi.receiver SET last = last + count WHERE status = 'ATTACHED';
$$;

-- A new receiver, whose numbers go on or begin again.
CREATE FUNCTION ibmi.roll(reset boolean DEFAULT false) RETURNS varchar LANGUAGE sql AS $$
    SELECT ibmi.attach(CASE WHEN reset THEN 1 ELSE (SELECT last + 1 FROM ibmi.receiver WHERE status = 'ATTACHED') END);
$$;

CREATE FUNCTION ibmi.fails(id text, text text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = '38501', MESSAGE = '[' || id || '] ' || text;
END $$;

-- ------------------------------------------------------------------------------------------------------------ Db2's functions

CREATE FUNCTION qsys2.hex(bytea) RETURNS varchar LANGUAGE sql IMMUTABLE AS $$ SELECT upper(encode($1, 'hex')) $$;
CREATE FUNCTION qsys2.varbinary(bytea, integer) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$ SELECT substring($1, 1, $2) $$;

CREATE VIEW sysibm.sysdummy1 AS
SELECT 'Y'::char(1) AS ibmreqd,
    (to_char(extract(timezone_hour FROM now()), 'FM99') || '0000')::numeric(6) AS current_timezone, -- hhmmss
    'PROD01'::varchar(18) AS current_server;

-- --------------------------------------------------------------------------------------------------------------- the services

CREATE VIEW qsys2.journal_info AS
SELECT 'QSYS'::varchar(10) AS journal_library, 'QAUDJRN'::varchar(10) AS journal_name,
    r.library AS attached_journal_receiver_library, r.name AS attached_journal_receiver_name,
    (SELECT count(*)::integer FROM ibmi.receiver) AS number_journal_receivers, '*NO'::varchar(4) AS delete_receiver_option
FROM ibmi.receiver r WHERE r.status = 'ATTACHED';

CREATE VIEW qsys2.journal_receiver_info AS
SELECT 'QSYS'::varchar(10) AS journal_library, 'QAUDJRN'::varchar(10) AS journal_name,
    r.library AS journal_receiver_library, r.name AS journal_receiver_name, r.first AS first_sequence_number,
    r.last AS last_sequence_number, r.attached AS attach_timestamp, r.status,
    CASE WHEN r.previous IS NOT NULL THEN r.library END AS previous_journal_receiver_library,
    r.previous AS previous_journal_receiver
FROM ibmi.receiver r;

-- One receiver at a time, which is all that is asked for; special values (*CURCHAIN) are not known.
CREATE FUNCTION qsys2.display_journal(
    journal_library varchar, journal_name varchar,
    starting_receiver_library varchar DEFAULT NULL, starting_receiver_name varchar DEFAULT NULL,
    starting_timestamp timestamp DEFAULT NULL, starting_sequence numeric DEFAULT NULL,
    journal_codes varchar DEFAULT NULL,
    ending_receiver_library varchar DEFAULT NULL, ending_receiver_name varchar DEFAULT NULL,
    ending_timestamp timestamp DEFAULT NULL, ending_sequence numeric DEFAULT NULL
) RETURNS TABLE (
    entry_timestamp timestamp, sequence_number numeric(21), journal_code char(1), journal_entry_type char(2), entry_data bytea,
    object varchar(30), object_type varchar(10), user_name varchar(10), "CURRENT_USER" varchar(10), job_name varchar(10),
    job_user varchar(10), job_number varchar(6), program_name varchar(10), program_library varchar(10),
    remote_port integer, remote_address varchar(46), receiver_name varchar(10), receiver_library varchar(10)
) LANGUAGE plpgsql SECURITY DEFINER AS $$
#variable_conflict use_column
DECLARE
    r ibmi.receiver;
    codes text[] := regexp_split_to_array(journal_codes, '[, ]+');
BEGIN
    IF (journal_library, journal_name) <> ('QSYS', 'QAUDJRN') THEN
        PERFORM ibmi.fails('CPF9801', format('Object %s in library %s not found.', journal_name, journal_library));
    END IF;
    IF (starting_receiver_library, starting_receiver_name) <> (ending_receiver_library, ending_receiver_name) THEN
        PERFORM ibmi.fails('CPF7074', 'RCVRNG for specified SEARCH not valid.');
    END IF;
    SELECT * INTO r FROM ibmi.receiver x WHERE (x.library, x.name) = (starting_receiver_library, starting_receiver_name);
    IF NOT FOUND THEN
        PERFORM ibmi.fails('CPF9801', format('Object %s in library %s not found.', starting_receiver_name, starting_receiver_library));
    END IF;
    IF ending_sequence < starting_sequence THEN
        PERFORM ibmi.fails('CPF7054', 'FROM and TO values not valid.');
    END IF;
    IF starting_sequence NOT BETWEEN r.first AND r.last THEN
        PERFORM ibmi.fails('CPF7053', 'Values for RCVRNG parameter not correct; reason code 5.');
    END IF;
    INSERT INTO ibmi.asked VALUES (clock_timestamp(), starting_sequence, ending_sequence);
    RETURN QUERY
    SELECT e.stamp, e.sequence, t.journal_code, t.journal_entry_type, t.entry_data, t.object, t.object_type, t.user_name, t.user_name,
        t.job_name, t.job_user, t.job_number, t.program_name, t.program_library, t.remote_port, t.remote_address, r.name, r.library
    FROM ibmi.entry e JOIN ibmi.template t ON t.number = e.template
    WHERE e.receiver = r.place AND e.sequence BETWEEN coalesce(starting_sequence, r.first) AND coalesce(ending_sequence, r.last)
        AND (starting_timestamp IS NULL OR e.stamp >= starting_timestamp)
        AND (ending_timestamp IS NULL OR e.stamp <= ending_timestamp)
        AND (codes IS NULL OR t.journal_code = ANY (codes))
    ORDER BY e.sequence;
    IF NOT FOUND THEN
        PERFORM ibmi.fails('CPF7062', 'No entries converted or received from journal.');
    END IF;
END $$;

CREATE FUNCTION qsys2.history_log_info(start_time timestamp, end_time timestamp DEFAULT '9999-12-30') RETURNS TABLE (
    ordinal_position integer, message_id varchar(7), message_type varchar(13), severity smallint, message_timestamp timestamp,
    from_user varchar(10), from_job varchar(28), from_program varchar(10), message_library varchar(10), message_file varchar(10),
    message_tokens bytea, message_text varchar(1024)
) LANGUAGE sql SECURITY DEFINER AS $$
    SELECT (row_number() OVER (ORDER BY m.number))::integer, m.id, m.type, m.severity, m.stamp, m.from_user, m.from_job, m.from_program,
        m.library, m.file, m.tokens, m.text
    FROM ibmi.message m WHERE m.stamp BETWEEN start_time AND end_time;
$$;

-- --------------------------------------------------------------------------------------------------------------- the catalog

CREATE VIEW qsys2.sysroutines AS
SELECT 'QSYS2'::varchar(128) AS routine_schema, upper(p.proname)::varchar(128) AS routine_name,
    (upper(p.proname) || '_' || p.oid)::varchar(128) AS specific_name
FROM pg_proc p WHERE p.pronamespace = 'qsys2'::regnamespace;

CREATE VIEW qsys2.sysparms AS
SELECT 'QSYS2'::varchar(128) AS specific_schema, (upper(p.proname) || '_' || p.oid)::varchar(128) AS specific_name,
    upper(a.name)::varchar(128) AS parameter_name, a.place::integer AS ordinal_position
FROM pg_proc p, unnest(p.proargnames) WITH ORDINALITY AS a (name, place) WHERE p.pronamespace = 'qsys2'::regnamespace;

-- Who asks: the services and nothing behind them.
CREATE ROLE "AUDITOR" LOGIN PASSWORD 'it''s {secret};+%';
GRANT USAGE ON SCHEMA qsys2, sysibm TO "AUDITOR";
GRANT SELECT ON ALL TABLES IN SCHEMA qsys2, sysibm TO "AUDITOR";

SELECT ibmi.attach(1);
