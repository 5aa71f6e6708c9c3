import { describe, expect, test } from '@jest/globals';
import { awsRemedies } from '../../runners/aws-remedies.js';

const diagnostic = (error: string): string =>
  `  aws:ec2:Instance (host-instance):\n    error: creating EC2 Instance: operation error EC2: RunInstances, https response error StatusCode: 400, RequestID: 1, ${error}`;

describe('awsRemedies', () => {
  test.each([
    ['api error VcpuLimitExceeded: You have requested more vCPU capacity', /quota of vCPUs/],
    ['api error Unsupported: Your requested instance type is not supported', /host\.instanceTypes/],
    ['api error VPCIdNotSpecified: No default VPC for this user', /create-default-vpc.*host\.subnetId/],
    ['api error UnauthorizedOperation: You are not authorized', /may not do that/],
  ])('says what to do about: %s', (error, remedy) => {
    expect(awsRemedies(diagnostic(error))).toEqual([expect.stringMatching(remedy)]);
  });

  test('says where credentials come from when there are none', () => {
    const said = '  pulumi:providers:aws (host-aws):\n    error: No valid credential sources found.';
    expect(awsRemedies(said)).toEqual([expect.stringContaining('AWS_PROFILE')]);
  });

  test('has nothing to say about what is not AWS’s, nor about a word that is only in a text', () => {
    expect(awsRemedies('  docker:index:Container (redis):\n    error: Unsupported: no')).toEqual([]);
    expect(awsRemedies(diagnostic('api error Other: Unsupported as it is'))).toEqual([]);
  });
});
