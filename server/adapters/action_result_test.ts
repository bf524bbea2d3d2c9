import { create, toBinary } from "@bufbuild/protobuf";
import assert from "node:assert/strict";
import fc from "fast-check";
import { isKind } from "../../core/errors.ts";
import {
  actionResultJson,
  BlobSet,
  expandTree,
  readActionResult,
  readActionResultJson,
  referencesOf,
  writeActionResult,
} from "./action_result.ts";
import { acceptsZstd } from "./bazel_cas.ts";
import { ActionResultSchema, DirectorySchema } from "./generated/remote_execution_pb.ts";

const digest = (letter: string, size = 1n) => ({ hash: letter.repeat(64), sizeBytes: size });
const isBad = (thrown: unknown) => isKind(thrown, "invalid_argument");

Deno.test("readActionResult, referencesOf and expandTree throw nothing but invalid_argument", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    for (
      const read of [
        () => referencesOf(readActionResult(bytes)),
        () => expandTree(bytes, "tree", new BlobSet()),
        () => expandTree(bytes, "directory", new BlobSet()),
      ]
    ) {
      try {
        read();
      } catch (thrown) {
        assert.ok(isBad(thrown), String(thrown));
      }
    }
  }));
});

Deno.test("readActionResultJson throws nothing but invalid_argument", () => {
  fc.assert(fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
    try {
      readActionResultJson(text);
    } catch (thrown) {
      assert.ok(isBad(thrown), String(thrown));
    }
  }));
});

Deno.test("JSON and binary are two forms of one result", () => {
  const text = JSON.stringify({
    outputFiles: [{ path: "a", digest: { hash: "a".repeat(64), sizeBytes: "9007199254740993" } }],
    exitCode: 3,
    stdoutRaw: "aGk=",
    executionMetadata: { worker: "w", executionStartTimestamp: "2026-01-02T03:04:05.006Z" },
  });
  const bytes = writeActionResult(readActionResultJson(text));
  assert.deepEqual(JSON.parse(actionResultJson(bytes)), JSON.parse(text));
  const snake = text.replace("outputFiles", "output_files").replace("sizeBytes", "size_bytes");
  assert.deepEqual(writeActionResult(readActionResultJson(snake)), bytes);
});

Deno.test("referencesOf lists each blob once, in order, and never the empty one", () => {
  const result = create(ActionResultSchema, {
    outputFiles: [
      { path: "a", digest: digest("a") },
      { path: "b", digest: digest("b") },
      { path: "c", digest: digest("a") },
    ],
    outputDirectories: [{ path: "", treeDigest: digest("c"), rootDirectoryDigest: digest("d") }],
    stderrDigest: digest("e"),
  });
  const { blobs, trees } = referencesOf(result);
  const letters = blobs.list().map((ref) => ref.digest.at(-1));
  assert.deepEqual(letters, ["a", "b", "c", "d", "e"]);
  assert.deepEqual(trees.map(({ form }) => form), ["tree"]);
  const twice = create(ActionResultSchema, {
    outputFiles: [{ path: "a", digest: digest("a", 1n) }, { path: "b", digest: digest("a", 2n) }],
  });
  assert.throws(() => referencesOf(twice), isBad);
  const huge = create(ActionResultSchema, { stdoutDigest: digest("a", 2n ** 60n) });
  assert.throws(() => referencesOf(huge), isBad);
});

Deno.test("expandTree of a directory that names itself ends", () => {
  const directory = create(DirectorySchema, { directories: [{ name: "x", digest: digest("a") }] });
  const bytes = toBinary(DirectorySchema, directory);
  const blobs = new BlobSet();
  assert.equal(expandTree(bytes, "directory", blobs).length, 1);
  assert.equal(expandTree(bytes, "directory", blobs).length, 0);
});

Deno.test("acceptsZstd goes by the whole name and its weight", () => {
  for (
    const yes of ["zstd", "gzip,zstd", "zstd, gzip", "ZSTD", "zstd;q=0.1", "gzip;q=1, zstd; q=1.0"]
  ) {
    assert.ok(acceptsZstd(yes), yes);
  }
  for (
    const no of [
      null,
      "",
      "*",
      "gzip",
      "xzstd",
      "zstdx",
      "zstd;q=0",
      "zstd; q=0.00, gzip",
      "zstd q",
    ]
  ) {
    assert.ok(!acceptsZstd(no), `${no}`);
  }
});
