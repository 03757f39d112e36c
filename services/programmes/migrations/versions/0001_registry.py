"""The registry's first tables, and the guards of what must not be rewritten."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


# What is appended stays, whatever the role; what was published says for ever what it said.
GUARDS = """
create function refuse_rewriting() returns trigger language plpgsql as $$
begin
    raise exception 'the audit is append-only: % refused', tg_op using errcode = 'insufficient_privilege';
end $$;
create trigger change_is_append_only before update or delete or truncate on change
    for each statement execute function refuse_rewriting();
create function refuse_redefinition() returns trigger language plpgsql as $$
begin
    raise exception '% % was published and never changes', old.name, old.version
        using errcode = 'insufficient_privilege';
end $$;
create trigger published_measure_stays before update on measure for each row
    when (new.document is distinct from old.document or new.version <> old.version or new.name <> old.name)
    execute function refuse_redefinition();
create trigger published_feed_stays before update on feed for each row
    when (new.document is distinct from old.document or new.version <> old.version or new.name <> old.name)
    execute function refuse_redefinition();
"""


# Nothing of the registry changes without a line of the audit in the same transaction, whoever writes and however.
AUDITED = {
    "organisation": ("organisation", "code"),
    "edge": ("organisation", "child"),
    "succession": ("organisation", "predecessor"),
    "programme": ("programme", "name"),
    "measure": ("measure", "name"),
    "target": ("target", "name"),
    "feed": ("feed", "name"),
    "draft": ("draft,measure", "measure"),
    "enrolment": ("enrolment", "enrolment"),
    "annotation": ("annotation", "annotation"),
}
DEMAND = """
create function demand_audit_of_{table}() returns trigger language plpgsql as $$
declare changed text := coalesce(new.{column}, old.{column});
begin
    if not exists (select 1 from change line where line.kind = any('{{{kind}}}') and line.subject = changed
                   and line.xmin = pg_current_xact_id()::xid) then
        raise exception '{table} % changes without a line in the audit: refused', changed
            using errcode = 'insufficient_privilege';
    end if;
    return null;
end $$;
create constraint trigger {table}_is_audited after insert or update or delete on {table}
    deferrable initially deferred for each row execute function demand_audit_of_{table}();
"""


def upgrade() -> None:
    op.create_table(
        "annotation",
        sa.Column("annotation", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("organisation", sa.String(), nullable=False),
        sa.Column("measure", sa.String(), nullable=True),
        sa.Column("on", sa.Date(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("evidence", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("accepted_by", sa.String(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_annotation")),
    )
    op.create_index(op.f("ix_annotation_organisation"), "annotation", ["organisation"], unique=False)
    op.create_index(
        "uq_annotation_current",
        "annotation",
        ["annotation"],
        unique=True,
        postgresql_where=sa.text("superseded_at is null"),
    )
    op.create_table(
        "answer",
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("client", "key", name=op.f("pk_answer")),
    )
    op.create_table(
        "catalogue_load",
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("said", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_catalogue_load")),
    )
    op.create_table(
        "change",
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("why", sa.String(), nullable=True),
        sa.Column("request_id", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_change")),
    )
    op.create_index("ix_change_kind_at", "change", ["kind", "at"], unique=False)
    op.create_index("ix_change_kind_position", "change", ["kind", "position"], unique=False)
    op.create_index("ix_change_kind_subject_position", "change", ["kind", "subject", "position"], unique=False)
    op.create_table(
        "draft",
        sa.Column("measure", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("authors", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("measure", name=op.f("pk_draft")),
    )
    op.create_table(
        "edge",
        sa.Column("child", sa.String(), nullable=False),
        sa.Column("parent", sa.String(), nullable=False),
        sa.Column("hierarchy", sa.String(), nullable=False),
        sa.Column("start", sa.Date(), nullable=True),
        sa.Column("end", sa.Date(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_edge")),
    )
    op.create_index("ix_edge_child_parent", "edge", ["child", "parent"], unique=False)
    op.create_index("ix_edge_parent_child", "edge", ["parent", "child"], unique=False)
    op.create_table(
        "enrolment",
        sa.Column("enrolment", sa.String(), nullable=False),
        sa.Column("organisation", sa.String(), nullable=False),
        sa.Column("programme", sa.String(), nullable=False),
        sa.Column("change_idea", sa.String(), nullable=True),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrolment")),
    )
    op.create_index(op.f("ix_enrolment_organisation"), "enrolment", ["organisation"], unique=False)
    op.create_index("ix_enrolment_programme", "enrolment", ["programme", "change_idea"], unique=False)
    op.create_index(
        "uq_enrolment_current",
        "enrolment",
        ["enrolment"],
        unique=True,
        postgresql_where=sa.text("superseded_at is null"),
    )
    op.create_index(
        "uq_enrolment_subject",
        "enrolment",
        ["organisation", "programme", sa.literal_column("coalesce(change_idea, '')")],
        unique=True,
        postgresql_where=sa.text("superseded_at is null and until is null"),
    )
    op.create_table(
        "feed",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("checker", sa.String(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed")),
    )
    op.create_index("ix_feed_name_version", "feed", ["name", "version"], unique=False)
    op.create_index("uq_feed_current", "feed", ["name"], unique=True, postgresql_where=sa.text("superseded_at is null"))
    op.create_table(
        "identifier",
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("scheme", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("value", "scheme", name=op.f("pk_identifier")),
    )
    op.create_index(op.f("ix_identifier_code"), "identifier", ["code"], unique=False)
    op.create_table(
        "inbox",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_inbox")),
    )
    op.create_index("ix_inbox_applied_at", "inbox", ["applied_at"], unique=False)
    op.create_table(
        "measure",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("checker", sa.String(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measure")),
    )
    op.create_index("ix_measure_name_version", "measure", ["name", "version"], unique=False)
    op.create_index(
        "uq_measure_current", "measure", ["name"], unique=True, postgresql_where=sa.text("superseded_at is null")
    )
    op.create_table(
        "organisation",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("names", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("identifiers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("opened", sa.Date(), nullable=True),
        sa.Column("closed", sa.Date(), nullable=True),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("unverified", sa.Boolean(), nullable=False),
        sa.Column("overrides", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column(
            "search",
            postgresql.TSVECTOR(),
            sa.Computed(
                "to_tsvector('simple', code || ' ' || name) || "
                "to_tsvector('simple', jsonb_path_query_array(names, '$[*].name'))",
                persisted=True,
            ),
            nullable=False,
        ),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisation")),
    )
    op.create_index("ix_organisation_code_recorded_at", "organisation", ["code", "recorded_at"], unique=False)
    op.create_index("ix_organisation_kind_code", "organisation", ["kind", "code"], unique=False)
    op.create_index(
        "ix_organisation_search",
        "organisation",
        ["search"],
        unique=False,
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )
    op.create_index(
        "uq_organisation_current",
        "organisation",
        ["code"],
        unique=True,
        postgresql_where=sa.text("superseded_at is null"),
    )
    op.create_table(
        "outbox",
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("ordering_key", sa.Text(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("stored", sa.Text(), nullable=True),
        sa.Column("written_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("num_nonnulls(body, stored) = 1", name=op.f("ck_outbox_body_here_or_there")),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_outbox")),
    )
    op.create_table(
        "parked",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("handler", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("ordering_key", sa.Text(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("parked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_parked")),
    )
    op.create_table(
        "programme",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("checker", sa.String(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_programme")),
    )
    op.create_index("ix_programme_name_version", "programme", ["name", "version"], unique=False)
    op.create_index(
        "uq_programme_current", "programme", ["name"], unique=True, postgresql_where=sa.text("superseded_at is null")
    )
    op.create_table(
        "succession",
        sa.Column("predecessor", sa.String(), nullable=False),
        sa.Column("successor", sa.String(), nullable=False),
        sa.Column("on", sa.Date(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("unverified", sa.Boolean(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_succession")),
    )
    op.create_index(op.f("ix_succession_predecessor"), "succession", ["predecessor"], unique=False)
    op.create_index(op.f("ix_succession_successor"), "succession", ["successor"], unique=False)
    op.create_table(
        "target",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("checker", sa.String(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_target")),
    )
    op.create_index("ix_target_name_version", "target", ["name", "version"], unique=False)
    op.create_index(
        "uq_target_current", "target", ["name"], unique=True, postgresql_where=sa.text("superseded_at is null")
    )
    op.execute(GUARDS)
    for table, (kind, column) in AUDITED.items():
        op.execute(DEMAND.format(table=table, kind=kind, column=column))


def downgrade() -> None:
    for table in (
        "target",
        "succession",
        "programme",
        "parked",
        "outbox",
        "organisation",
        "measure",
        "inbox",
        "identifier",
        "feed",
        "enrolment",
        "edge",
        "draft",
        "change",
        "catalogue_load",
        "answer",
        "annotation",
    ):
        op.drop_table(table)
    op.execute("drop function refuse_rewriting; drop function refuse_redefinition")
    for table in AUDITED:
        op.execute(f"drop function demand_audit_of_{table}")
