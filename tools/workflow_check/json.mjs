/**
 * Lets Node read the parser as it is published: it imports its JSON without saying `with { type: "json" }`, for which
 * Node refuses it. Given to Node by `--import`.
 */
import { register } from "node:module";

register("./json-hook.mjs", import.meta.url);
