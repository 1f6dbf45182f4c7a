use std::cell::RefCell;
use std::collections::BTreeSet;

use leptos::ev::{KeyboardEvent, MouseEvent, PointerEvent};
use leptos::html::Div;
use leptos::prelude::*;
use millrace_charts::Figure;
use web_sys::Element;

use super::figure_file::FigureFile;

/// A pointer reads a small mark that is so near, in pixels.
const NEAR: f64 = 28.0;
/// A mark that is larger is read where the pointer is on it alone.
const SMALL: f64 = 40.0;
/// The class of marks that have words, and the attribute that holds these.
const MARK: &str = "mark";
const WORDS: &str = "data-words";
/// The attribute of the mark that is read.
const READ: &str = "data-read";

/// What is read of a figure.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    /// Which mark.
    place: usize,
    words: String,
    /// From the corner of the figure, in pixels.
    at: (f64, f64),
}

/// A figure with its conclusion in words and its numbers behind a disclosure. With scripts its marks are read by pointer, finger or arrow
/// keys.
#[component]
pub fn ChartFigure(
    /// The figure; its picture is well-formed and escaped by its maker.
    figure: Figure,
) -> impl IntoView {
    let holder = NodeRef::<Div>::new();
    let told = RwSignal::new(None::<Told>);
    let title = figure.title.clone();
    // Files are made where they are asked for: without scripts there are the numbers alone.
    let is_alive = RwSignal::new(false);
    Effect::new(move |_| {
        is_alive.set(true);
        if let Some(holder) = holder.get() {
            reach(&holder, &title);
            stay_open(&holder);
        }
    });
    let note_open = move |_: MouseEvent| {
        // The disclosure opens or closes after the click has been told.
        let note = move || {
            if let Some(holder) = holder.try_get_untracked().flatten() {
                keep_open(&holder);
            }
        };
        set_timeout(note, std::time::Duration::ZERO);
    };
    let read = move |mark: Option<(usize, (f64, f64))>| {
        let before = told.get_untracked();
        if mark.is_none() && before.is_none() {
            return;
        }
        let Some(holder) = holder.get_untracked() else { return };
        let next = tell(&holder, mark);
        if next != before {
            told.set(next);
        }
    };
    let point = move |event: PointerEvent| {
        let Some(holder) = holder.get_untracked() else { return };
        // What is dragged is dragged to be picked out.
        let is_dragged = event.buttons() != 0 && event.pointer_type() != "touch";
        read(if is_dragged { None } else { pointed(&holder, &event) });
    };
    let leave = move |event: PointerEvent| {
        // A finger that was lifted leaves what it touched to be read.
        if event.pointer_type() != "touch" {
            read(None);
        }
    };
    let step = move |event: KeyboardEvent| {
        let target: Element = event_target(&event);
        // Of what is within a picture, as of its links, the class is no text.
        let is_plot = target.get_attribute("class").is_some_and(|class| class == "figure-plot");
        let Some(holder) = holder.get_untracked().filter(|_| is_plot) else { return };
        if event.alt_key() || event.ctrl_key() || event.meta_key() {
            return;
        }
        if event.key() == "Escape" {
            return read(None);
        }
        let marks = marks(&holder);
        let now = told.with_untracked(|told| told.as_ref().map(|told| told.place));
        let Some(next) = stepped(&event.key(), now, marks.len()) else { return };
        event.prevent_default();
        read(marks.get(next).map(|mark| (next, Outline::of(mark).top_centre())));
    };
    let left = move || {
        told.with(|told| {
            told.as_ref().map(|told| format!("clamp(min(9rem, 50%), {:.1}px, 100% - min(9rem, 50%))", told.at.0))
        })
    };
    let top = move || told.with(|told| told.as_ref().map(|told| format!("{:.1}px", told.at.1)));
    view! {
        <div
            class="readable"
            node_ref=holder
            on:pointermove=point
            on:pointerdown=point
            on:pointerleave=leave
            on:keydown=step
            on:click=note_open
            on:focusout=move |_| read(None)
        >
            <div inner_html=figure.html()></div>
            <Files figure=figure is_alive/>
            <div class="tip" role="status" hidden=move || told.with(Option::is_none) style:left=left style:top=top>
                {move || told.with(|told| told.as_ref().map(|told| told.words.clone()))}
            </div>
        </div>
    }
}

/// Figures below their titles, side by side where there is room.
#[component]
pub fn TitledFigures(
    /// The figures.
    figures: Vec<Figure>,
) -> impl IntoView {
    let titled = figures.into_iter().map(|figure| {
        view! {
            <section class="stack stack-tight">
                <h3>{figure.title.clone()}</h3>
                <ChartFigure figure/>
            </section>
        }
    });
    view! { <div class="grid grid-wide">{titled.collect_view()}</div> }
}

/// The figure as files; nothing of one that has no numbers.
#[component]
fn Files(figure: Figure, is_alive: RwSignal<bool>) -> impl IntoView {
    let has_numbers = !figure.table.is_empty();
    let figure = StoredValue::new(figure);
    let link = move |file: FigureFile| {
        // The address holds the whole file, so it is made when it is wanted.
        let fill = move |event: MouseEvent| {
            let link = event_target::<Element>(&event);
            drop(link.set_attribute("href", &figure.with_value(|figure| file.address(figure))));
        };
        let name = figure.with_value(|figure| file.name(figure));
        let label = format!("Download {name}");
        view! { <a href="#" download=name rel="external" aria-label=label on:click=fill>{file.title()}</a> }
    };
    has_numbers.then(|| {
        view! { <p class="figure-files" hidden=move || !is_alive.get()>{FigureFile::ALL.map(link).collect_view()}</p> }
    })
}

thread_local! {
    /// Pictures whose numbers the reader has opened, by id: a page that follows along draws its figures anew.
    static OPEN: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// The numbers behind a figure, and the name of its picture.
fn numbers(holder: &Element) -> Option<(Element, String)> {
    let find = |selector: &str| holder.query_selector(selector).ok().flatten();
    let name = find("svg.chart desc")?.id();
    Some((find("details.figure-data")?, name)).filter(|(_, name)| !name.is_empty())
}

fn keep_open(holder: &Element) {
    if let Some((numbers, name)) = numbers(holder) {
        OPEN.with_borrow_mut(|open| if numbers.has_attribute("open") { open.insert(name) } else { open.remove(&name) });
    }
}

fn stay_open(holder: &Element) {
    if let Some((numbers, name)) = numbers(holder)
        && OPEN.with_borrow(|open| open.contains(&name))
    {
        drop(numbers.set_attribute("open", ""));
    }
}

/// Lets the keyboard reach a picture that has marks to be read.
fn reach(holder: &Element, title: &str) {
    let plot = holder.query_selector(".figure-plot").ok().flatten();
    let Some(plot) = plot.filter(|_| !marks(holder).is_empty()) else { return };
    let set = |name: &str, value: &str| drop(plot.set_attribute(name, value));
    set("tabindex", "0");
    set("aria-description", "Arrow keys read its marks.");
    if !plot.has_attribute("role") {
        set("role", "group");
        set("aria-label", title);
    }
}

/// The marks of a figure that have words, in the order in which they were drawn. Their words are taken out of the titles that a browser would
/// show beside these, after a while. A picture with links has none: it is read link by link.
fn marks(holder: &Element) -> Vec<Element> {
    let Some(picture) = holder.query_selector("svg.chart[role=img]").ok().flatten() else { return Vec::new() };
    let titles = picture.get_elements_by_tag_name("title");
    // From the end, since the list follows what is in the document.
    for title in (0..titles.length()).rev().filter_map(|place| titles.item(place)) {
        let Some(mark) = title.parent_element() else { continue };
        let words = title.text_content().unwrap_or_default();
        let set = |name: &str, value: &str| drop(mark.set_attribute(name, value));
        if mark == picture {
            set("aria-label", &words);
            let id = title.id();
            set("aria-describedby", &format!("{}-desc", id.strip_suffix("-title").unwrap_or(&id)));
            drop(mark.remove_attribute("aria-labelledby"));
        } else {
            set(WORDS, &words);
            set("class", &format!("{} {MARK}", mark.get_attribute("class").unwrap_or_default()));
        }
        title.remove();
    }
    let found = picture.get_elements_by_class_name(MARK);
    (0..found.length()).filter_map(|place| found.item(place)).collect()
}

/// The mark that a pointer is on or near to, and where its words belong.
fn pointed(holder: &Element, event: &PointerEvent) -> Option<(usize, (f64, f64))> {
    let (target, marks) = (event_target::<Element>(event), marks(holder));
    let outlines: Vec<Outline> = marks.iter().map(Outline::of).collect();
    let at = (f64::from(event.client_x()), f64::from(event.client_y()));
    // Beside the picture nothing is read.
    target.closest("svg.chart").ok().flatten()?;
    let hit = marks.iter().position(|mark| *mark == target);
    let is_area = |place: &usize| matches!(marks[*place].tag_name().as_str(), "rect" | "circle" | "polygon");
    // A line has only its name to tell; words may be written on an area.
    let place = hit.filter(is_area).or_else(|| nearest(at, &outlines)).or(hit);
    let place = place.or_else(|| (0..marks.len()).rev().filter(is_area).find(|place| outlines[*place].holds(at)))?;
    let outline = outlines[place];
    Some((place, if outline.is_small() { outline.top_centre() } else { at }))
}

/// What is told of a mark at a place of the window. It is shown on that mark and on no other.
fn tell(holder: &Element, mark: Option<(usize, (f64, f64))>) -> Option<Told> {
    let marks = marks(holder);
    for mark in &marks {
        drop(mark.remove_attribute(READ));
    }
    let (place, (x, y)) = mark?;
    let mark = marks.get(place)?;
    drop(mark.set_attribute(READ, ""));
    let within = holder.get_bounding_client_rect();
    Some(Told { place, words: mark.get_attribute(WORDS)?, at: (x - within.left(), y - within.top()) })
}

/// Which mark a key leads to, of so many.
fn stepped(key: &str, now: Option<usize>, count: usize) -> Option<usize> {
    let last = count.checked_sub(1)?;
    match key {
        "ArrowRight" | "ArrowDown" => Some(now.map_or(0, |now| (now + 1).min(last))),
        "ArrowLeft" | "ArrowUp" => Some(now.map_or(last, |now| now.saturating_sub(1))),
        "Home" => Some(0),
        "End" => Some(last),
        _ => None,
    }
}

/// Where a mark is in the window.
#[derive(Debug, Clone, Copy)]
struct Outline {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Outline {
    fn of(mark: &Element) -> Self {
        let rect = mark.get_bounding_client_rect();
        Self { left: rect.left(), top: rect.top(), width: rect.width(), height: rect.height() }
    }

    fn is_small(&self) -> bool {
        self.width.max(self.height) <= SMALL
    }

    fn top_centre(&self) -> (f64, f64) {
        (self.left + self.width / 2.0, self.top)
    }

    fn holds(&self, (x, y): (f64, f64)) -> bool {
        (self.left..=self.left + self.width).contains(&x) && (self.top..=self.top + self.height).contains(&y)
    }

    fn distance(&self, (x, y): (f64, f64)) -> f64 {
        (x - self.left - self.width / 2.0).hypot(y - self.top - self.height / 2.0)
    }
}

/// The small mark that is nearest to a place, if one is near; of equals the one that is drawn over the others.
fn nearest(at: (f64, f64), outlines: &[Outline]) -> Option<usize> {
    let small = outlines.iter().enumerate().filter(|(_, outline)| outline.is_small());
    let near = small.map(|(place, outline)| (outline.distance(at), place)).filter(|(distance, _)| *distance <= NEAR);
    near.min_by(|one, other| one.0.total_cmp(&other.0).then(other.1.cmp(&one.1))).map(|(_, place)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn dot(left: f64, top: f64) -> Outline {
        Outline { left, top, width: 6.0, height: 6.0 }
    }

    #[test]
    fn the_nearest_small_mark_is_read_and_none_that_is_far() {
        let wide = Outline { left: 0.0, top: 0.0, width: 400.0, height: 300.0 };
        let outlines = [wide, dot(100.0, 100.0), dot(120.0, 100.0)];
        assert_eq!(nearest((118.0, 104.0), &outlines), Some(2));
        assert_eq!(nearest((104.0, 90.0), &outlines), Some(1));
        assert_eq!(nearest((200.0, 200.0), &outlines), None);
    }

    #[test]
    fn an_area_holds_what_is_within_its_edges() {
        let area = Outline { left: 10.0, top: 20.0, width: 100.0, height: 50.0 };
        assert!(area.holds((10.0, 70.0)) && !area.holds((9.0, 40.0)) && !area.holds((50.0, 71.0)));
    }

    #[test]
    fn of_marks_on_each_other_the_one_above_is_read() {
        assert_eq!(nearest((0.0, 0.0), &[dot(0.0, 0.0), dot(0.0, 0.0)]), Some(1));
    }

    #[test]
    fn arrow_keys_lead_from_mark_to_mark_and_end_at_the_ends() {
        assert_eq!(stepped("ArrowRight", None, 3), Some(0));
        assert_eq!(stepped("ArrowRight", Some(2), 3), Some(2));
        assert_eq!(stepped("ArrowLeft", Some(0), 3), Some(0));
        assert_eq!(stepped("End", Some(0), 3), Some(2));
        assert_eq!(stepped("ArrowRight", None, 0), None);
        assert_eq!(stepped("Tab", Some(1), 3), None);
    }
}
