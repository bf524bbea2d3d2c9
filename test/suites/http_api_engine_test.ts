import { createEngineFixture } from "../helpers/engine_fixture.ts";
import { httpApiSuite } from "./http_api.ts";

httpApiSuite("engine on a port", () => createEngineFixture());
httpApiSuite("engine on a port, each read asked again", () => createEngineFixture(3));
