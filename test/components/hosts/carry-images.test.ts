import { Readable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import type Docker from 'dockerode';
import { carryImages } from '../../../components/hosts/carry-images.js';

interface Image {
  Id: string;
  Architecture: string;
  RepoDigests: string[];
}
const built = (Id: string, Architecture = 'amd64'): Image => ({ Id, Architecture, RepoDigests: [] });
const pulled = (Id: string): Image => ({ ...built(Id), RepoDigests: [`registry.example/shop@${Id}`] });

/** An engine that has these images; `broken` is how it gives them. */
function engine(images: Record<string, Image>, architecture = 'amd64', archive?: Readable) {
  const asked: (readonly string[])[] = [];
  const docker = {
    version: async () => ({ Arch: architecture }),
    getImage: (reference: string) => ({
      inspect: async () => {
        const image = images[reference];
        if (image === undefined) throw Object.assign(new Error('no such image'), { statusCode: 404 });
        return image;
      },
    }),
    getImages: async ({ names }: { names: readonly string[] }) => {
      asked.push(names);
      return archive ?? Readable.from(['an archive']);
    },
    async loadImage(body: Readable, { abortSignal }: { abortSignal: AbortSignal }) {
      await new Promise<void>((resolve, reject) => {
        body.on('end', resolve).resume();
        abortSignal.addEventListener('abort', () => {
          reject(new Error('aborted'));
        });
      });
      return Readable.from([]);
    },
    modem: {
      followProgress: (_: Readable, done: (error: Error | null) => void, each: (event: object) => void) => {
        each({ stream: 'Loaded image' });
        done(null);
      },
    },
  };
  return { asked, docker: docker as unknown as Docker };
}

describe('carryImages', () => {
  test('carries what only this engine has, all at once, and each once', async () => {
    const here = engine({
      'own:1': built('a'),
      'own:2': built('b'),
      'old:1': built('c'),
      'shop:1': pulled('d'),
    });
    const there = engine({ 'own:2': built('b'), 'old:1': built('older') });
    const wanted = ['own:1', 'own:1', 'own:2', 'old:1', 'shop:1', 'elsewhere:1'];
    expect(await carryImages(wanted, here.docker, there.docker)).toEqual(['own:1', 'old:1']);
    expect(here.asked).toEqual([['own:1', 'old:1']]);
  });

  test('asks for nothing when the host has all', async () => {
    const here = engine({ 'own:1': built('a') });
    expect(await carryImages(['own:1'], here.docker, engine({ 'own:1': built('a') }).docker)).toEqual([]);
    expect(here.asked).toEqual([]);
  });

  test('names every image that can’t run there', async () => {
    const here = engine({ 'own:1': built('a'), 'own:2': built('b', 'arm64'), 'own:3': built('c') });
    await expect(
      carryImages(['own:1', 'own:2', 'own:3'], here.docker, engine({}, 'arm64').docker),
    ).rejects.toThrow(/the host's, arm64: own:1 \(amd64\), own:3 \(amd64\); take a host of theirs/);
    expect(here.asked).toEqual([]);
  });

  test('ends when this engine breaks off', async () => {
    const archive = new Readable({
      read() {
        this.destroy(new Error('gone'));
      },
    });
    const here = engine({ 'own:1': built('a') }, 'amd64', archive);
    await expect(carryImages(['own:1'], here.docker, engine({}).docker)).rejects.toThrow(
      "this machine's Docker Engine broke off while it gave the images",
    );
  });
});
