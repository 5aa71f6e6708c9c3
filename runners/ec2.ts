import {
  DeleteKeyPairCommand,
  DeleteSecurityGroupCommand,
  DeleteVolumeCommand,
  DescribeInstanceTypeOfferingsCommand,
  DescribeKeyPairsCommand,
  EC2Client,
  EC2ServiceException,
  paginateDescribeInstances,
  paginateDescribeSecurityGroups,
  paginateDescribeVolumes,
  TerminateInstancesCommand,
  type Filter,
  type Tag,
} from '@aws-sdk/client-ec2';
import { labelKeys } from '../components/labels.js';
import { waitUntil } from '../engine/wait.js';
import type { Cloud } from './cloud.js';
import type { Labelled, Scope } from './docker.js';
import { messageOf } from './errors.js';
import type { Leftover } from './report/record.js';

/** AWS's own waiters allow ten minutes for it; it takes about one. */
const terminationDeadlineMs = 5 * 60_000;
/** A dead instance's network interface keeps its security group a little longer. */
const releaseDeadlineMs = 2 * 60_000;
const intervalMs = 2_000;

/** What of an instance is over, or was never there. */
const endedStates = ['terminated'];

/** Credentials, and another endpoint, come from where the AWS tools have them. */
export function ec2In(region: string): Cloud {
  // It warns of what a later version of it will need.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const client = new EC2Client({
    region,
    requestHandler: { connectionTimeout: 5_000, requestTimeout: 30_000 },
  });
  const inRegion = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (cause) {
      throw new Error(`AWS, ${region}: ${reasonOf(cause)}`, { cause });
    }
  };
  return {
    region,
    everything: () => inRegion(labelled(client, region, [{ Name: 'tag-key', Values: [labelKeys.run] }])),
    leftovers: (scope) => inRegion(leftoversOf(client, region, scope)),
    remove: (leftovers) => inRegion(remove(client, region, leftovers)),
    refuseUnlessReady: (type) => inRegion(refuseUnlessOffered(client, type)),
  };
}

/** AWS's errors have the code that people look up in their name. */
const reasonOf = (error: unknown): string =>
  error instanceof EC2ServiceException ? `${error.name}: ${error.message}` : messageOf(error);

const isRefused = (error: unknown, ...codes: string[]): boolean =>
  error instanceof EC2ServiceException && codes.includes(error.name);

async function refuseUnlessOffered(client: EC2Client, type: string): Promise<void> {
  const Filters = [{ Name: 'instance-type', Values: [type] }];
  const { InstanceTypeOfferings = [] } = await client.send(
    new DescribeInstanceTypeOfferingsCommand({ LocationType: 'region', Filters }),
  );
  if (InstanceTypeOfferings.length > 0) return;
  throw new Error(
    `the region has no instances of the type ${type}: name others in rehearsal:host.instanceTypes, or another rehearsal:host.region`,
  );
}

async function leftoversOf(client: EC2Client, region: string, { runId, suite }: Scope): Promise<Leftover[]> {
  const filters = [
    { Name: `tag:${labelKeys.run}`, Values: [runId] },
    { Name: `tag:${labelKeys.suite}`, Values: [suite] },
  ];
  const found = await labelled(client, region, filters);
  return found
    .filter(({ labels }) => isStackOfItsOwn(suite) || isOver(labels))
    .map(({ kind, name }) => ({ kind, name }));
}

/** A run has an id; one that was brought up by hand has but its name, and in an account two people's have the same. */
const isStackOfItsOwn = (suite: string): boolean => suite !== 'none';

const isOver = ({ [labelKeys.expiresAt]: expiresAt = '' }: Labelled['labels']): boolean =>
  Date.parse(expiresAt) <= Date.now();

/** Instances first: they hold the others. */
async function labelled(client: EC2Client, region: string, Filters: Filter[]): Promise<Labelled[]> {
  const of = (kind: Leftover['kind'], id: string | undefined, tags: Tag[] | undefined): Labelled => ({
    kind,
    name: `${region}/${id ?? ''}`,
    labels: Object.fromEntries((tags ?? []).map(({ Key, Value }) => [Key ?? '', Value ?? ''])),
  });
  const found = await Promise.all([
    collect(paginateDescribeInstances({ client }, { Filters }), ({ Reservations }) =>
      (Reservations ?? [])
        .flatMap(({ Instances }) => Instances ?? [])
        .filter(({ State }) => !endedStates.includes(State?.Name ?? ''))
        .map(({ InstanceId, Tags }) => of('instance', InstanceId, Tags)),
    ),
    collect(paginateDescribeVolumes({ client }, { Filters }), ({ Volumes }) =>
      (Volumes ?? []).map(({ VolumeId, Tags }) => of('disk', VolumeId, Tags)),
    ),
    collect(paginateDescribeSecurityGroups({ client }, { Filters }), ({ SecurityGroups }) =>
      (SecurityGroups ?? []).map(({ GroupId, Tags }) => of('security group', GroupId, Tags)),
    ),
    client
      .send(new DescribeKeyPairsCommand({ Filters }))
      .then(({ KeyPairs }) => (KeyPairs ?? []).map(({ KeyPairId, Tags }) => of('key pair', KeyPairId, Tags))),
  ]);
  return found.flat();
}

async function collect<Page>(
  pages: AsyncIterable<Page>,
  resourcesOf: (page: Page) => Labelled[],
): Promise<Labelled[]> {
  const found: Labelled[] = [];
  for await (const page of pages) found.push(...resourcesOf(page));
  return found;
}

async function remove(client: EC2Client, region: string, leftovers: readonly Leftover[]): Promise<void> {
  const idsOf = (wanted: Leftover['kind']): string[] =>
    leftovers.filter(({ kind }) => kind === wanted).map(({ name }) => name.slice(region.length + 1));
  await terminate(client, idsOf('instance'));
  const removals = [
    ...idsOf('disk').map((VolumeId) =>
      removeWhenUnused(`disk ${VolumeId}`, ['InvalidVolume.NotFound'], ['VolumeInUse'], () =>
        client.send(new DeleteVolumeCommand({ VolumeId })),
      ),
    ),
    ...idsOf('security group').map((GroupId) =>
      removeWhenUnused(`security group ${GroupId}`, ['InvalidGroup.NotFound'], ['DependencyViolation'], () =>
        client.send(new DeleteSecurityGroupCommand({ GroupId })),
      ),
    ),
    ...idsOf('key pair').map((KeyPairId) =>
      removeWhenUnused(`key pair ${KeyPairId}`, ['InvalidKeyPair.NotFound'], [], () =>
        client.send(new DeleteKeyPairCommand({ KeyPairId })),
      ),
    ),
  ];
  // One that can't be removed keeps none of the others.
  const failures = (await Promise.allSettled(removals)).flatMap((result) =>
    result.status === 'rejected' ? [messageOf(result.reason)] : [],
  );
  if (failures.length > 0) throw new Error(failures.join('; '));
}

async function terminate(client: EC2Client, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    try {
      await client.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
    } catch (error) {
      if (!isRefused(error, 'InvalidInstanceID.NotFound')) {
        throw new Error(`instance ${id}: ${reasonOf(error)}`, { cause: error });
      }
    }
  }
  if (ids.length === 0) return;
  // Asked for by a filter, one that is gone is no error.
  const Filters = [{ Name: 'instance-id', Values: [...ids] }];
  const living = async (): Promise<string[]> => {
    const found: string[] = [];
    for await (const { Reservations } of paginateDescribeInstances({ client }, { Filters })) {
      const instances = (Reservations ?? []).flatMap(({ Instances }) => Instances ?? []);
      const alive = instances.filter(({ State }) => !endedStates.includes(State?.Name ?? ''));
      found.push(...alive.map(({ InstanceId }) => InstanceId ?? ''));
    }
    return found;
  };
  await waitUntil(living, ({ length }) => length === 0, {
    what: `the end of instance ${ids.join(', ')}`,
    deadlineMs: terminationDeadlineMs,
    intervalMs,
  });
}

/** What is gone already is fine. */
async function removeWhenUnused(
  what: string,
  goneCodes: string[],
  usedCodes: string[],
  removeIt: () => Promise<unknown>,
): Promise<void> {
  const attempt = async (): Promise<boolean> => {
    try {
      await removeIt();
      return true;
    } catch (error) {
      if (isRefused(error, ...goneCodes)) return true;
      if (isRefused(error, ...usedCodes)) return false;
      throw new Error(`${what}: ${reasonOf(error)}`, { cause: error });
    }
  };
  await waitUntil(attempt, Boolean, {
    what: `the removal of ${what}, which something uses`,
    deadlineMs: releaseDeadlineMs,
    intervalMs,
  });
}
