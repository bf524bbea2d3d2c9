import { createHandlerFixture, createPortFixture } from "../test/helpers/http_fixture.ts";
import { httpApiSuite } from "../test/suites/http_api.ts";

httpApiSuite("handler", () => Promise.resolve(createHandlerFixture({ smallBytes: 4096 })));
httpApiSuite("handler on a port", () => Promise.resolve(createPortFixture()));
