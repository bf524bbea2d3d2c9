/** A folder in memory: files by path, and the paths of folders. */

/** Files by path; `folder` for a folder. */
export type FolderImage = ReadonlyMap<string, Uint8Array<ArrayBuffer> | "folder">;

/** Reads a folder; SQLite's shared memory is left out, which no restart of a machine survives. */
export async function readFolder(dir: string): Promise<FolderImage> {
  const image = new Map<string, Uint8Array<ArrayBuffer> | "folder">();
  const visit = async (below: string) => {
    for await (const { name, isDirectory } of Deno.readDir(`${dir}/${below}`)) {
      const path = below === "" ? name : `${below}/${name}`;
      if (isDirectory) {
        image.set(path, "folder");
        await visit(path);
      } else if (!name.endsWith("-shm")) image.set(path, await Deno.readFile(`${dir}/${path}`));
    }
  };
  await visit("");
  return image;
}

/** Makes a folder anew with what is in the image. */
export async function writeFolder(dir: string, image: FolderImage): Promise<void> {
  await Deno.remove(dir, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
  for (const [path, content] of [...image].sort(([a], [b]) => a < b ? -1 : 1)) {
    if (content === "folder") await Deno.mkdir(`${dir}/${path}`, { mode: 0o700 });
    else await Deno.writeFile(`${dir}/${path}`, content, { mode: 0o600 });
  }
}
