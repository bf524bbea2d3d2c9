import { createEngineFixture } from "../helpers/engine_fixture.ts";
import { shareOf } from "../helpers/long.ts";
import { HTTP_CASES, httpApiSuite } from "./http_api.ts";

// What is asked first comes from the disk, what is asked again from memory. Each case opens an
// engine of its own: the short form takes every case one of the two ways.
httpApiSuite("engine on a port", () => createEngineFixture(), shareOf(HTTP_CASES, 0, 2));
httpApiSuite(
  "engine on a port, each read asked again",
  () => createEngineFixture(3),
  shareOf(HTTP_CASES, 1, 2),
);
