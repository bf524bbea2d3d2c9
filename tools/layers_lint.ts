/**
 * A `deno lint` plug-in that holds the map of the house: imports go one way, the outside world
 * enters in a few files, nobody holds a whole blob. The tables are in `layers_table.ts`.
 */
import {
  AMBIENT,
  DRAWERS,
  IO_MODULES,
  MAY_IMPORT,
  ONLY_FROM,
  OUTSIDE,
  PURE,
  STREAMING,
  WHOLE_BODY,
} from "./layers_table.ts";

const ROOT = new URL("../", import.meta.url).pathname;

/** The path of a file from the top of the project; `undefined` for what lies elsewhere. */
export function projectPath(filename: string): string | undefined {
  const path = filename.replace(/^file:\/\//, "").replaceAll("\\", "/");
  if (!path.startsWith("/")) return path.replace(/^\.\//, "");
  return path.startsWith(ROOT) ? path.slice(ROOT.length) : undefined;
}

/** Whether a file belongs to tests, benchmarks or tools rather than to the product. */
export function isOutside(path: string): boolean {
  return /_test\.tsx?$/.test(path) || OUTSIDE.includes(areaOf(path));
}

/** The row of the table for a file: its first folder, or its name at the top. */
export function areaOf(path: string): string {
  const slash = path.indexOf("/");
  return slash < 0 ? path : path.slice(0, slash);
}

/**
 * Why `importer` may not import `specifier`, or `undefined` if it may. Both paths are relative to
 * the top; a specifier that is not relative is looked at only for I/O in pure folders.
 */
export function refusal(importer: string, specifier: string): string | undefined {
  if (isOutside(importer)) return undefined;
  const from = areaOf(importer);
  if (!/^\.{1,2}\/|^\/|^file:/.test(specifier)) {
    const does = IO_MODULES.includes(specifier) && PURE.includes(from);
    return does ? `${from}/ is pure and may not import "${specifier}"` : undefined;
  }
  const target = projectPath(new URL(specifier, `file://${ROOT}${importer}`).pathname);
  if (target === undefined) return `"${specifier}" lies outside the project`;
  if (isOutside(target)) return `the product may not import "${target}"`;
  const only = ONLY_FROM.find((row) => row.target.test(target));
  if (only && !only.importer.test(importer) && !only.target.test(importer)) return only.why;
  const to = areaOf(target);
  const allowed = MAY_IMPORT[from];
  if (allowed === undefined) return `${from} is not in the table of tools/layers_table.ts`;
  if (from === to || allowed.includes(to)) return undefined;
  const list = allowed.length === 0 ? "nothing of ours" : allowed.join(", ");
  return `${from} may not import ${to}, it may import ${list}`;
}

const imports: Deno.lint.Rule = {
  create(context) {
    const path = projectPath(context.filename);
    if (path === undefined) return {};
    const check = (node: Deno.lint.Node, source: unknown) => {
      if (typeof source !== "string") return;
      const why = refusal(path, source);
      if (why !== undefined) {
        context.report({ node, message: why, hint: "See docs/architecture.md" });
      }
    };
    return {
      ImportDeclaration: (node) => check(node, node.source.value),
      ExportAllDeclaration: (node) => check(node, node.source.value),
      ExportNamedDeclaration: (node) => check(node, node.source?.value),
      ImportExpression: (node) => check(node, literal(node.source)),
      TSImportType: (node) => check(node, literal(node.argument)),
      // new URL("./worker.ts", import.meta.url) starts code as surely as an import does.
      NewExpression(node) {
        const [first, second] = node.arguments;
        if (!isName(node.callee, "URL") || !first || !second) return;
        const source = literal(first);
        if (typeof source === "string" && /\.tsx?$/.test(source)) check(node, source);
      },
    };
  },
};

const ambient: Deno.lint.Rule = {
  create(context) {
    const path = projectPath(context.filename);
    if (path === undefined || isOutside(path)) return {};
    const check = (node: Deno.lint.Node, what: string) => {
      const row = AMBIENT.find((row) => row.what === what);
      if (!row || row.allowed.test(path)) return;
      context.report({ node, message: `${what} may not stand in ${path}`, hint: row.instead });
    };
    return {
      MemberExpression(node) {
        const property = propertyName(node);
        let object: Deno.lint.Node = node.object;
        if (object.type === "MemberExpression" && isName(object.object, "globalThis")) {
          object = object.property;
        }
        if (object.type === "Identifier") check(node, `${object.name}.${property}`);
      },
      // const { env } = Deno
      VariableDeclarator(node) {
        if (node.init?.type !== "Identifier" || node.id.type !== "ObjectPattern") return;
        for (const part of node.id.properties) {
          if (part.type === "Property" && part.key.type === "Identifier") {
            check(node, `${node.init.name}.${part.key.name}`);
          }
        }
      },
      NewExpression(node) {
        if (isName(node.callee, "Date") && node.arguments.length === 0) check(node, "new Date()");
      },
      CallExpression(node) {
        if (isName(node.callee, "Date")) check(node, "Date()");
      },
    };
  },
};

const abort: Deno.lint.Rule = {
  create(context) {
    const path = projectPath(context.filename);
    if (path === undefined || path === "core/abort.ts" || isOutside(path)) return {};
    const hint = "Use onAbort of core/abort.ts: a listener on an aborted signal never fires";
    return {
      CallExpression(node) {
        if (calledName(node) !== "addEventListener") return;
        if (node.arguments[0] === undefined || literal(node.arguments[0]) !== "abort") return;
        context.report({ node, message: "abort listeners are added in core/abort.ts only", hint });
      },
      AssignmentExpression(node) {
        if (node.left.type !== "MemberExpression" || propertyName(node.left) !== "onabort") return;
        context.report({ node, message: "abort listeners are added in core/abort.ts only", hint });
      },
    };
  },
};

const wholeBlob: Deno.lint.Rule = {
  create(context) {
    const path = projectPath(context.filename);
    if (path === undefined || isOutside(path) || !STREAMING.includes(areaOf(path))) return {};
    return {
      Program() {
        for (const comment of context.sourceCode.getAllComments()) {
          if (!/deno-lint-ignore(-file)?\b.*layers\/whole_blob/.test(comment.value)) continue;
          if (/ -- \S/.test(comment.value)) continue;
          context.report({
            range: comment.range,
            message: "layers/whole_blob is ignored without a reason",
            hint: "// deno-lint-ignore layers/whole_blob -- <why the body is small>",
          });
        }
      },
      CallExpression(node) {
        if (node.arguments.length > 0) return;
        const name = calledName(node);
        if (name === undefined || !WHOLE_BODY.includes(name)) return;
        context.report({
          node,
          message: `.${name}() holds a whole body in memory`,
          hint: "Stream it, or ignore this line with a reason if the body is bounded",
        });
      },
    };
  },
};

const drawer: Deno.lint.Rule = {
  create(context) {
    return {
      Program() {
        const name = context.filename.replace(/^.*[/\\]/, "").replace(/(_test)?\.\w+$/, "");
        if (!DRAWERS.includes(name)) return;
        const message = `a file named "${name}" says nothing about what is inside`;
        context.report({ range: [0, 0], message, hint: "Name it after its one job" });
      },
    };
  },
};

const consoleRule: Deno.lint.Rule = {
  create(context) {
    const path = projectPath(context.filename);
    if (path === undefined || isOutside(path)) return {};
    return {
      MemberExpression(node) {
        if (!isName(node.object, "console")) return;
        context.report({
          node,
          message: `console may not stand in ${path}`,
          hint: "Take a place to write to as an argument; app/ knows the standard streams",
        });
      },
    };
  },
};

function literal(node: Deno.lint.Node): unknown {
  if (node.type === "Literal") return node.value;
  if (node.type === "TSLiteralType") return literal(node.literal);
  if (node.type === "TemplateLiteral" && node.quasis.length === 1) return node.quasis[0]?.cooked;
  return undefined;
}

function propertyName(node: Deno.lint.MemberExpression): string | undefined {
  if (!node.computed && node.property.type === "Identifier") return node.property.name;
  const value = literal(node.property);
  return typeof value === "string" ? value : undefined;
}

/** The method that a call names; `a?.b()` stands in a node of its own. */
function calledName(node: Deno.lint.CallExpression): string | undefined {
  let callee: Deno.lint.Node = node.callee;
  if (callee.type === "ChainExpression") callee = callee.expression;
  return callee.type === "MemberExpression" ? propertyName(callee) : undefined;
}

function isName(node: Deno.lint.Node, name: string): boolean {
  return node.type === "Identifier" && node.name === name;
}

/** The plug-in. */
const plugin: Deno.lint.Plugin = {
  name: "layers",
  rules: { imports, ambient, abort, whole_blob: wholeBlob, drawer, console: consoleRule },
};
export default plugin;
