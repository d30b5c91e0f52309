// Where the stories are: dots on coastlines, equirectangular, 85° N to 58° S.

import { byId, setText } from "../dom.js";
import { countryName } from "../format.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 720;
const HEIGHT = 286;
const RANK = { routine: 0, urgent: 1, flash: 2 };

export function showMap(stories) {
  const places = collect(stories);
  const dots = [...places.values()].sort((left, right) => RANK[left.priority] - RANK[right.priority]);
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", describe(dots));
  for (const dot of dots) picture.append(draw(dot));
  byId("map-picture").replaceChildren(picture);
  setText(byId("map-note"), dots.length ? listing(dots) : "No place has been named yet.");
}

function collect(stories) {
  const places = new Map();
  for (const story of stories) {
    for (const place of story.places) {
      const key = `${place.name}/${place.country}`;
      const dot = places.get(key) ?? { ...place, stories: 0, priority: "routine" };
      dot.stories += 1;
      if (RANK[story.priority] > RANK[dot.priority]) dot.priority = story.priority;
      places.set(key, dot);
    }
  }
  return places;
}

function draw(dot) {
  const circle = document.createElementNS(SVG, "circle");
  circle.setAttribute("cx", ((dot.longitude + 180) * 2).toFixed(1));
  circle.setAttribute("cy", ((85 - dot.latitude) * 2).toFixed(1));
  circle.setAttribute("r", Math.min(13, 4.5 + 2 * Math.sqrt(dot.stories)).toFixed(1));
  circle.setAttribute("class", `dot ${dot.priority}`);
  const title = document.createElementNS(SVG, "title");
  title.textContent = `${dot.name}, ${countryName(dot.country)}: ${dot.stories}`;
  circle.append(title);
  return circle;
}

function describe(dots) {
  return dots.length ? `World map with ${dots.length} places of the stories shown` : "World map without places";
}

function listing(dots) {
  const most = [...dots].sort((left, right) => right.stories - left.stories).slice(0, 6);
  return most.map((dot) => (dot.stories > 1 ? `${dot.name} ${dot.stories}` : dot.name)).join(" · ");
}
