//! Lineage: what came of what, from sources to what is live.

use millrace_domain::ids::DatasetVersionId;
use millrace_domain::run::DatasetRole;
use millrace_domain::view::LineageView;
use millrace_storage::dataset::{self, DatasetVersion};
use millrace_storage::deployment;
use millrace_storage::problem::ProblemVersion;
use millrace_storage::run::{self, Run};

use crate::model::{Lineage, missing};
use crate::{Result, Services, fault};

/// Columns of the graph.
pub(crate) mod layer {
    pub(crate) const SOURCE: u8 = 0;
    pub(crate) const DATA: u8 = 1;
    pub(crate) const WORK: u8 = 2;
    pub(crate) const MODEL: u8 = 3;
    pub(crate) const LIVE: u8 = 4;
}

/// More loads of a dataset than this are not followed back.
const MOST_LOADS: usize = 5;

impl Services {
    /// Where a model version comes from, and whether it is live.
    pub(crate) async fn lineage_of_model(&self, lineage: &Lineage) -> Result<LineageView> {
        let pool = self.db.pool();
        let (version, slug) = (&lineage.version, &lineage.version.slug);
        let mut graph = LineageView { things: Vec::new(), links: Vec::new(), here: None };
        let run = self.draw_run(&mut graph, &lineage.run, &lineage.problem).await?;
        let page = format!("/models/{slug}/v/{}", version.number);
        let model = graph.add(layer::MODEL, "model version", format!("{slug} v{}", version.number), Some(page));
        graph.link(run, model);
        graph.here = Some(model);
        let live = deployment::find(pool, slug).await.map_err(fault)?;
        if live.is_some_and(|live| live.champion == Some(version.id)) {
            let deployment = graph.add(layer::LIVE, "deployment", slug.clone(), Some(format!("/deployments/{slug}")));
            graph.link(model, deployment);
        }
        Ok(graph)
    }

    /// A run with its problem version, its data and its tables; gives the run's position.
    async fn draw_run(&self, graph: &mut LineageView, of: &Run, problem: &ProblemVersion) -> Result<u32> {
        let pool = self.db.pool();
        let page = format!("/problems/{}/v/{}", problem.slug, problem.number);
        let signed =
            graph.add(layer::DATA, "problem version", format!("{} v{}", problem.slug, problem.number), Some(page));
        let run = graph.add(layer::WORK, "run", format!("run #{}", of.id), Some(format!("/runs/{}", of.id)));
        graph.link(signed, run);
        let mut loads: Vec<DatasetVersionId> = of.dataset_version.into_iter().collect();
        loads.extend(run::tables(pool, of.id).await.map_err(fault)?.into_iter().map(|table| table.version));
        for load in loads {
            let data = dataset::find_version(pool, load).await.map_err(fault)?.ok_or_else(missing)?;
            let kind = if data.role == DatasetRole::Table { "table version" } else { "dataset version" };
            let position =
                graph.add(layer::DATA, kind, format!("{} v{}", data.name, data.number), Some(page_of(&data)));
            graph.link(position, run);
            for earlier in dataset::lineage(pool, data.id).await.map_err(fault)?.into_iter().take(MOST_LOADS) {
                let is_itself = earlier.id == data.id;
                let href = (!is_itself).then(|| page_of(&earlier));
                let file = graph.add(layer::SOURCE, "file", earlier.file_name, href);
                graph.link(file, position);
            }
        }
        Ok(run)
    }
}

fn page_of(data: &DatasetVersion) -> String {
    format!("/datasets/{}/v/{}", data.dataset, data.number)
}
