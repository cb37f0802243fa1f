"""The tables of a SQLite database after its step 0009, those of a cell of servers, and the function that writes.

Texts sort by their bytes, as in SQLite, whatever the language of the database. ``mac_commit`` is all that ever writes:
one call is one transaction. It compares the part's row, so that nobody but its owner writes, and takes each batch once.
"""

SQL = """
CREATE TABLE migration (name text COLLATE "C" PRIMARY KEY, applied_at text COLLATE "C" NOT NULL);
CREATE TABLE machine_state (name text COLLATE "C" PRIMARY KEY, state text COLLATE "C" NOT NULL);
CREATE TABLE journal (
    id bigint PRIMARY KEY,
    at text COLLATE "C" NOT NULL,
    machine text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    account_id text COLLATE "C",
    seconds double precision,
    data text COLLATE "C" NOT NULL
);
CREATE INDEX journal_machine ON journal (machine, id);
CREATE INDEX journal_kind ON journal (kind, id);
CREATE INDEX journal_at ON journal (at);
CREATE INDEX journal_use ON journal (at, machine, seconds) WHERE seconds IS NOT NULL;
CREATE INDEX journal_long ON journal (at) WHERE seconds > 86400;
CREATE INDEX journal_refused ON journal (at, machine, kind) WHERE kind = 'session_refused';
CREATE INDEX journal_flags ON journal (machine, at, kind)
    WHERE kind IN ('oops_set', 'lock_set', 'cleared', 'oops_cleared', 'lock_cleared');
CREATE TABLE outbox (
    id bigint PRIMARY KEY,
    at text COLLATE "C" NOT NULL,
    channel text COLLATE "C" NOT NULL,
    text text COLLATE "C" NOT NULL,
    opens text COLLATE "C",
    closes text COLLATE "C",
    journal_id bigint,
    within text COLLATE "C",
    asks text COLLATE "C",
    due text COLLATE "C"
);
CREATE INDEX outbox_channel ON outbox (channel, id);
CREATE TABLE waiting_member (
    machine text COLLATE "C", slack_id text COLLATE "C", at text COLLATE "C" NOT NULL, PRIMARY KEY (machine, slack_id)
);
CREATE TABLE thread (
    key text COLLATE "C",
    channel text COLLATE "C",
    post text COLLATE "C" NOT NULL,
    unsettled int NOT NULL DEFAULT 0,
    root text COLLATE "C",
    PRIMARY KEY (key, channel)
);
CREATE TABLE seen_event (id text COLLATE "C" PRIMARY KEY, at text COLLATE "C" NOT NULL);
CREATE TABLE reader_key (
    machine text COLLATE "C" PRIMARY KEY,
    key text COLLATE "C" NOT NULL,
    since text COLLATE "C" NOT NULL,
    used_since text COLLATE "C",
    new_key text COLLATE "C",
    new_since text COLLATE "C"
);
CREATE TABLE note (name text COLLATE "C" PRIMARY KEY, value text COLLATE "C" NOT NULL);
CREATE TABLE addition (
    id bigint PRIMARY KEY, account_id text COLLATE "C" NOT NULL, counts int NOT NULL, data text COLLATE "C" NOT NULL
);
CREATE TABLE admin (
    name text COLLATE "C" PRIMARY KEY,
    token text COLLATE "C" NOT NULL,
    at text COLLATE "C" NOT NULL,
    by text COLLATE "C"
);
CREATE TABLE board_session (
    id text COLLATE "C" PRIMARY KEY,
    key text COLLATE "C" NOT NULL,
    role text COLLATE "C" NOT NULL,
    name text COLLATE "C",
    account_id text COLLATE "C",
    at text COLLATE "C" NOT NULL,
    used_at text COLLATE "C" NOT NULL
);
CREATE TABLE slack_user (
    id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL,
    how text COLLATE "C" NOT NULL,
    at text COLLATE "C" NOT NULL,
    switched_off text COLLATE "C" NOT NULL
);

CREATE TABLE part (
    part int PRIMARY KEY, epoch bigint NOT NULL, incarnation text NOT NULL, batch bigint NOT NULL, owner text NOT NULL
);
INSERT INTO part VALUES (1, 0, '', 0, '');
CREATE TABLE beat (
    part int PRIMARY KEY,
    epoch bigint NOT NULL,
    beat bigint NOT NULL,
    at timestamptz NOT NULL,
    released boolean NOT NULL,
    alone boolean NOT NULL DEFAULT false,
    asked bigint NOT NULL DEFAULT 0,
    seconds double precision NOT NULL DEFAULT 0
);
INSERT INTO beat VALUES (1, 0, 0, now(), true, false);
CREATE TABLE node (
    url text PRIMARY KEY,
    version text NOT NULL,
    revision bigint NOT NULL,
    seen timestamptz NOT NULL,
    skew double precision NOT NULL,
    incarnation text NOT NULL DEFAULT ''
);
CREATE TABLE revision (
    id bigint PRIMARY KEY, at text NOT NULL, machines text NOT NULL, users text NOT NULL, slack text, webhooks text
);

CREATE FUNCTION mac_commit(which int, mine bigint, who text, number bigint, document jsonb) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE part SET batch = number WHERE part.part = which AND epoch = mine AND incarnation = who AND batch < number;
    IF NOT FOUND THEN
        -- It is there already: what is written here has this call wait for the standby, as the first one should have.
        UPDATE part SET batch = batch WHERE part.part = which AND epoch = mine AND incarnation = who;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'another server owns the database' USING ERRCODE = 'MA001';
        END IF;
        RETURN false;
    END IF;

    IF document ? 'rewrite' THEN
        UPDATE journal SET account_id = r.account, data = r.text
        FROM jsonb_to_recordset(document -> 'rewrite') AS r("row" bigint, account text, text text)
        WHERE journal.id = r."row";
    END IF;
    IF document ? 'reword' THEN
        UPDATE outbox SET text = r.words FROM jsonb_to_recordset(document -> 'reword') AS r("row" bigint, words text)
        WHERE outbox.id = r."row";
    END IF;
    IF document ? 'note' THEN
        INSERT INTO note SELECT * FROM jsonb_populate_recordset(NULL::note, document -> 'note')
        ON CONFLICT (name) DO UPDATE SET value = excluded.value;
    END IF;

    IF document ? 'move' THEN
        DECLARE
            step jsonb;
        BEGIN
            FOR step IN SELECT * FROM jsonb_array_elements(document -> 'move') LOOP
                UPDATE addition SET account_id = step ->> 'new' WHERE account_id = step ->> 'old';
                UPDATE board_session SET account_id = step ->> 'new' WHERE account_id = step ->> 'old';
                UPDATE slack_user SET account_id = step ->> 'new' WHERE account_id = step ->> 'old';
            END LOOP;
        END;
    END IF;
    IF document ? 'drop_addition' THEN
        DELETE FROM addition USING jsonb_to_recordset(document -> 'drop_addition') AS r("row" bigint)
        WHERE addition.id = r."row";
    END IF;
    IF document ? 'put_addition' THEN
        INSERT INTO addition SELECT * FROM jsonb_populate_recordset(NULL::addition, document -> 'put_addition')
        ON CONFLICT (id) DO UPDATE
        SET account_id = excluded.account_id, counts = excluded.counts, data = excluded.data;
    END IF;
    IF document ? 'drop_admin' THEN
        DELETE FROM admin USING jsonb_to_recordset(document -> 'drop_admin') AS r("row" text)
        WHERE admin.name = r."row";
    END IF;
    IF document ? 'put_admin' THEN
        INSERT INTO admin SELECT * FROM jsonb_populate_recordset(NULL::admin, document -> 'put_admin')
        ON CONFLICT (name) DO UPDATE SET token = excluded.token, at = excluded.at, by = excluded.by;
    END IF;
    IF document ? 'drop_board_session' THEN
        DELETE FROM board_session USING jsonb_to_recordset(document -> 'drop_board_session') AS r("row" text)
        WHERE board_session.id = r."row";
    END IF;
    IF document ? 'put_board_session' THEN
        INSERT INTO board_session
        SELECT * FROM jsonb_populate_recordset(NULL::board_session, document -> 'put_board_session')
        ON CONFLICT (id) DO UPDATE
        SET key = excluded.key, role = excluded.role, name = excluded.name, account_id = excluded.account_id,
            at = excluded.at, used_at = excluded.used_at;
    END IF;

    IF document ? 'drop_key' THEN
        DELETE FROM reader_key USING jsonb_to_recordset(document -> 'drop_key') AS r("of" text)
        WHERE reader_key.machine = r."of";
    END IF;
    IF document ? 'put_key' THEN
        INSERT INTO reader_key SELECT * FROM jsonb_populate_recordset(NULL::reader_key, document -> 'put_key');
    END IF;
    IF document ? 'state' THEN
        INSERT INTO machine_state SELECT * FROM jsonb_populate_recordset(NULL::machine_state, document -> 'state')
        ON CONFLICT (name) DO UPDATE SET state = excluded.state;
    END IF;
    IF document ? 'journal' THEN
        INSERT INTO journal SELECT * FROM jsonb_populate_recordset(NULL::journal, document -> 'journal');
    END IF;
    IF document ? 'outbox' THEN
        INSERT INTO outbox SELECT * FROM jsonb_populate_recordset(NULL::outbox, document -> 'outbox');
    END IF;
    IF document ? 'wait' THEN
        INSERT INTO waiting_member SELECT * FROM jsonb_populate_recordset(NULL::waiting_member, document -> 'wait')
        ON CONFLICT DO NOTHING;
    END IF;
    IF document ? 'drop_wait' THEN
        DELETE FROM waiting_member USING jsonb_to_recordset(document -> 'drop_wait') AS r("of" text, whose text)
        WHERE waiting_member.machine = r."of" AND waiting_member.slack_id = r.whose;
    END IF;
    IF document ? 'sent' THEN
        DELETE FROM outbox USING jsonb_to_recordset(document -> 'sent') AS r(sent_id bigint)
        WHERE outbox.id = r.sent_id;
    END IF;
    IF document ? 'thread' THEN
        INSERT INTO thread SELECT * FROM jsonb_populate_recordset(NULL::thread, document -> 'thread')
        ON CONFLICT (key, channel) DO UPDATE SET post = excluded.post, unsettled = excluded.unsettled;
    END IF;
    IF document ? 'drop_link' THEN
        DELETE FROM slack_user USING jsonb_to_recordset(document -> 'drop_link') AS r(slack_id text)
        WHERE slack_user.id = r.slack_id;
    END IF;
    IF document ? 'link' THEN
        INSERT INTO slack_user SELECT * FROM jsonb_populate_recordset(NULL::slack_user, document -> 'link')
        ON CONFLICT (id) DO UPDATE
        SET account_id = excluded.account_id, how = excluded.how, at = excluded.at,
            switched_off = excluded.switched_off;
    END IF;
    IF document ? 'seen' THEN
        INSERT INTO seen_event SELECT * FROM jsonb_populate_recordset(NULL::seen_event, document -> 'seen')
        ON CONFLICT DO NOTHING;
    END IF;
    IF document ? 'forget_seen' THEN
        DELETE FROM seen_event USING jsonb_to_recordset(document -> 'forget_seen') AS r(before text)
        WHERE seen_event.at < r.before COLLATE "C";
    END IF;
    RETURN true;
END
$$;
"""
