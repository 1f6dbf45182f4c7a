//! What is found by a piece of its name, its number or the beginning of its digest.

use millrace_domain::view::Found;
use serde_json::json;

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

impl Record for Found {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self { kind: row.get("kind")?, name: row.get("name")?, about: row.get("about")?, href: row.get("href")? })
    }
}

/// At most `most` things of each kind, those whose names begin with the text first, the newest before older ones. Of runs, whose number
/// nothing bounds, the newest with a name that has the text in it are found, and the one that is called by its number. Problems
/// that are not `visible`, and what belongs to them, are not found; all are without it.
///
/// # Errors
/// When the database fails.
pub async fn find(db: &impl Connection, text: &str, visible: Option<Vec<String>>, most: i64) -> Result<Vec<Found>> {
    const SQL: &str = r"
        with given as (select lower(regexp_replace($1::text, '^(run )?#', '\1', 'i')) as text),
        asked as (select text,
                case when text ~ '^[0-9]{1,18}$' then text::bigint end as number,
                case when text ~ '^(sha256:)?[0-9a-f]{6,64}$' then regexp_replace(text, '^sha256:', '') || '%' end as digest
            from given),
        shown as (select p.id, p.slug from problem p
            where $2::jsonb is null or p.slug in (select jsonb_array_elements_text($2::jsonb))),
        newest as (select p.id as problem_id, v.title from shown p cross join lateral
            (select v.document ->> 'title' as title from problem_version v where v.problem_id = p.id order by v.number desc limit 1) v),
        runs as (select r.id, r.name, r.state, r.problem_version_id from run r, asked a
                where r.id = coalesce(a.number, case when a.text ~ '^run [0-9]{1,18}$' then substr(a.text, 5)::bigint end)
            union
            (select r.id, r.name, r.state, r.problem_version_id from run r, asked a
                where r.name is not null and position(a.text in lower(r.name)) > 0 and length(a.text) > 1
                    and exists (select 1 from problem_version v join shown p on p.id = v.problem_id where v.id = r.problem_version_id)
                order by r.id desc limit $3)),
        found as (
            select 1 as kind_order, 'problem' as kind, p.slug as name, n.title as about, '/problems/' || p.slug as href,
                p.slug as begins, p.id as place
            from shown p join newest n on n.problem_id = p.id, asked a
            where position(a.text in p.slug) > 0 or position(a.text in lower(n.title)) > 0
            union all
            select 2, 'deployment', p.slug, n.title, '/deployments/' || p.slug, p.slug, p.id
            from deployment d join shown p on p.id = d.problem_id join newest n on n.problem_id = p.id, asked a
            where position(a.text in p.slug) > 0 or position(a.text in lower(n.title)) > 0
            union all
            select 3, 'model version', p.slug || ' v' || m.number, m.stage, '/models/' || p.slug || '/v/' || m.number,
                p.slug || ' v' || m.number, m.id
            from model_version m join shown p on p.id = m.problem_id, asked a
            where position(a.text in p.slug || ' v' || m.number) > 0 or encode(m.digest, 'hex') like a.digest
                or encode(m.artifact, 'hex') like a.digest
            union all
            select 4, 'dataset', d.name, p.slug, '/datasets/' || d.id, lower(d.name), d.id
            from dataset d join shown p on p.id = d.problem_id, asked a
            where position(a.text in lower(d.name)) > 0
            union all
            select 5, 'dataset version', d.name || ' v' || v.number, v.file_name, '/datasets/' || d.id || '/v/' || v.number,
                lower(d.name), v.id
            from dataset_version v join dataset d on d.id = v.dataset_id join shown p on p.id = d.problem_id, asked a
            where encode(v.digest, 'hex') like a.digest or position(a.text in lower(v.file_name)) > 0
            union all
            select 6, 'run', coalesce(r.name, 'run ' || r.id), p.slug || ', ' || r.state, '/runs/' || r.id,
                coalesce(lower(r.name), 'run ' || r.id), r.id
            from runs r join problem_version v on v.id = r.problem_version_id join shown p on p.id = v.problem_id
            union all
            select 7, 'problem version', p.slug || ' v' || v.number, v.state, '/problems/' || p.slug || '/v/' || v.number, '', v.id
            from problem_version v join shown p on p.id = v.problem_id, asked a
            where encode(v.digest, 'hex') like a.digest
        ),
        ranked as (select f.*, row_number() over (partition by kind_order
            order by starts_with(begins, (select text from asked)) desc, place desc) as rank from found f)
        select kind, name, about, href from ranked where rank <= $3 order by kind_order, rank";
    record::all(db, SQL, values![text, visible.map(|slugs| json!(slugs)), most]).await
}
