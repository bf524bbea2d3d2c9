/** Bytes that Bazel would send. */
import { create, toBinary } from "@bufbuild/protobuf";
import {
  ActionResultSchema,
  DirectorySchema,
  TreeSchema,
} from "../../server/adapters/generated/remote_execution_pb.ts";

const digest = (letter: string, size = 5n) => ({ hash: letter.repeat(64), sizeBytes: size });

/** ActionResults in their binary form. */
export const actionResults: readonly Uint8Array[] = [
  create(ActionResultSchema, { exitCode: 1 }),
  create(ActionResultSchema, {
    outputFiles: [
      { path: "bin/a", digest: digest("a"), isExecutable: true },
      { path: "bin/b", digest: digest("b", 70_000n) },
    ],
    outputSymlinks: [{ path: "latest", target: "bin/a" }],
    stdoutDigest: digest("c"),
    stderrRaw: new Uint8Array([104, 105]),
  }),
  create(ActionResultSchema, {
    outputDirectories: [{ path: "out", treeDigest: digest("d", 300n) }],
  }),
].map((message) => toBinary(ActionResultSchema, message));

const root = {
  files: [{ name: "x", digest: digest("e") }],
  directories: [{ name: "sub", digest: digest("f", 80n) }],
};
const children = [{ files: [{ name: "y", digest: digest("1") }] }];

/** Folders in the two forms that an ActionResult may name. */
export const bazelTrees: Readonly<Record<"trees" | "directories", readonly Uint8Array[]>> = {
  trees: [toBinary(TreeSchema, create(TreeSchema, { root, children }))],
  directories: [toBinary(DirectorySchema, create(DirectorySchema, root))],
};
