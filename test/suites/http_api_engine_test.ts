import { createEngineFixture } from "../helpers/engine_fixture.ts";
import { httpApiSuite } from "./http_api.ts";

httpApiSuite("engine on a port", createEngineFixture);
