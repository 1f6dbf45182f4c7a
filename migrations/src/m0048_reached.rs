//! When each server had a change in place, also after later changes. What earlier programs wrote down is kept for their newest alone, and
//! servers of theirs still write down no more.

crate::sql_migration!(
    r"
create table change_reached (
    problem_id bigint not null,
    generation bigint not null,
    server     text not null,
    placed_at  timestamptz not null,
    primary key (problem_id, generation, server),
    foreign key (problem_id, generation) references deployment_change (problem_id, generation)
);
insert into change_reached (problem_id, generation, server, placed_at)
    select r.problem_id, r.generation, r.server, r.placed_at from server_route r
    join deployment_change c on c.problem_id = r.problem_id and c.generation = r.generation
    where r.placed_at < c.changed_at + interval '1 minute';
",
    r"
drop table change_reached;
"
);
