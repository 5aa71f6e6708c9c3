/** What to do about it, by the code of AWS's error. */
const remedies: Readonly<Record<string, string>> = {
  VcpuLimitExceeded:
    "the account's quota of vCPUs for these instances is used up: end instances, ask AWS for more (Service Quotas, EC2), or name other types in rehearsal:host.instanceTypes",
  MaxSpotInstanceCountExceeded:
    "the account's quota of spot instances is used up: ask AWS for more (Service Quotas, EC2), or set rehearsal:host.spot to false",
  InsufficientInstanceCapacity:
    'AWS has no such instance left there now: try again later, name other types in rehearsal:host.instanceTypes, or a subnet of another zone in rehearsal:host.subnetId',
  Unsupported:
    'the region or zone has no instances of this type: name others in rehearsal:host.instanceTypes, or another rehearsal:host.region',
  InvalidInstanceType:
    'the region has no instances of this type: name others in rehearsal:host.instanceTypes',
  VPCIdNotSpecified:
    'the region has no default VPC: make one (aws ec2 create-default-vpc), or name a subnet in rehearsal:host.subnetId',
  DefaultVpcDoesNotExist:
    'the region has no default VPC: make one (aws ec2 create-default-vpc), or name a subnet in rehearsal:host.subnetId',
  MissingInput:
    'the default VPC has no subnet: make one (aws ec2 create-default-subnet), or name one in rehearsal:host.subnetId',
  'InvalidSubnetID.NotFound':
    'rehearsal:host.subnetId is no subnet of this region and account: name another, or none',
  'InvalidAMIID.NotFound': 'rehearsal:host.ami is no image of this region: name another, or none',
  ParameterNotFound: "the region doesn't publish Debian's images: name one in rehearsal:host.ami",
  UnauthorizedOperation: 'these credentials may not do that: docs/hosts-aws.md lists what they need',
  AuthFailure: "AWS doesn't accept these credentials: log in anew, or choose others with AWS_PROFILE",
  ExpiredToken: 'the credentials have expired: log in anew',
  RequestExpired: "the credentials have expired, or this machine's clock is wrong",
  OptInRequired: 'the account may not use EC2 in this region: enable the region, or choose another',
  // Without an answer there is no code: the name that the AWS provider gives to having none.
  'No valid credential sources found':
    'there are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role gives some',
};

/** A line for each error of AWS in what the Pulumi CLI said that has a remedy. */
export function awsRemedies(diagnostics: string): string[] {
  // Of its resources, or of its provider.
  if (!diagnostics.includes('aws:') && !diagnostics.includes('providers:aws')) return [];
  return Object.entries(remedies)
    .filter(
      ([code]) => diagnostics.includes(`${code}: `) || (code.includes(' ') && diagnostics.includes(code)),
    )
    .map(([code, remedy]) => `${code}: ${remedy}`);
}
