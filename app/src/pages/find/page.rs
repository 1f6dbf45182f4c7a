use leptos::prelude::*;
use millrace_domain::view::Found;

use crate::components::{FoundList, Load, PageHeader};
use crate::fault::PageFault;
use crate::pages::address::query_text;
use crate::wording::counted;

/// Things that the reader may see, by a piece of their name.
#[server(name = Find, prefix = "/fn", endpoint = "find")]
pub async fn find(text: String) -> Result<Vec<Found>, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.find(&actor, &text).await?)
}

/// The page; `?q=` carries what is looked for.
#[component]
pub fn FindPage() -> impl IntoView {
    let text = query_text("q");
    let found = Resource::new(move || text.get(), find);
    view! {
        <PageHeader title="Search"/>
        <form class="cluster" method="get" action="/find" role="search">
            <label class="label" for="q">"A piece of a name, a run's number, the beginning of a digest, or a prediction's id"</label>
            <input class="input" id="q" name="q" type="search" maxlength="200" value=move || text.get()/>
            <button class="button button-primary" type="submit">"Search"</button>
        </form>
        <Load resource=found let:found>
            {
                let asked = text.get_untracked();
                let words = match (asked.trim(), found.len()) {
                    ("", _) => "Problems, deployments, model versions, datasets and runs are found here.".to_owned(),
                    (asked, 0) => format!("Nothing that you may see matches \u{201c}{asked}\u{201d}."),
                    (_, found) => format!("{}, at most six of each kind.", counted(found as u64, "thing", "things")),
                };
                view! {
                    <p class="muted" role="status">{words}</p>
                    <FoundList found/>
                }
            }
        </Load>
    }
}
