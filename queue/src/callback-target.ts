/**
 * Where a callback may go. One rule, asked twice: the gateway checks the URL when it accepts a call, the queue-worker
 * checks each address a host name turned into when it connects. Pure; nothing here asks the network.
 * Not here: the connection that holds the rule (queue-worker/src/callback-agent.ts).
 */
import ipaddr from 'ipaddr.js';

/** What `callback_allow` opens besides the public internet. Made by {@link parseCallbackAllow}. */
export interface CallbackAllow {
  /** `*`: every address. */
  readonly everything: boolean;
  /** Lower case, without a dot at the end. */
  readonly hosts: ReadonlySet<string>;
  readonly ranges: readonly Range[];
}

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Range = readonly [network: Address, prefixLength: number];

/** The callback URL is refused. The message says what to do; it is fit to be sent to the caller. */
export class BadCallbackUrl extends Error {
  override readonly name = 'BadCallbackUrl';
  readonly code = 'bad_callback_url';
}

// Answers every virtual machine's metadata questions on Azure, from a public range.
const azureMetadata = '168.63.129.16';
// All of IPv6 that is routed on the internet; ::a.b.c.d and other leftovers are outside.
const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3');
const hostName = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/;
// A name that ends like this is an IPv4 address to the URL parser, so no name.
const endsInNumber = /(^|\.)(\d+|0x[0-9a-f]*)$/;

/**
 * @param list - CIDRs (`10.0.0.0/8`), addresses (`::1`) and host names (`hooks.internal`), or `*` for everything
 * @throws {RangeError} naming the first entry that is none of these
 */
export function parseCallbackAllow(list: readonly string[]): CallbackAllow {
  const hosts = new Set<string>();
  const ranges: Range[] = [];
  let everything = false;
  for (const entry of list) {
    const name = withoutDot(entry.toLowerCase());
    const range = parseRange(entry);
    if (entry === '*') everything = true;
    else if (range) ranges.push(range);
    else if (hostName.test(name) && !endsInNumber.test(name)) hosts.add(name);
    else throw new RangeError(`${entry} is no CIDR, address or host name`);
  }
  return { everything, hosts, ranges };
}

/**
 * What can be known of a callback's URL before it is used. A name that resolves to a private address passes here and is
 * refused by {@link isAllowedAddress} when the worker connects.
 * @throws {BadCallbackUrl}
 */
export function checkCallbackUrl(text: string, allow: CallbackAllow): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new BadCallbackUrl('X-Callback-Url must be an absolute http:// or https:// URL.');
  }
  const host = bareHost(url);
  const literal = ipaddr.isValid(host);
  const addresses = literal ? [host] : isLoopbackName(host) ? ['127.0.0.1', '::1'] : [];
  if (addresses.length > 0 && !addresses.some((address) => isAllowedAddress(address, host, allow))) {
    throw new BadCallbackUrl(`X-Callback-Url points to ${host}, which is not a public address: use a public one, or add it to callback_allow.`);
  }
  return url;
}

/**
 * Whether a callback may connect to an address: a public one, or one that `allow` names by itself or by its host name.
 * @param ip - as resolved; text that is no address is refused
 * @param hostname - the name the URL gave
 */
export function isAllowedAddress(ip: string, hostname: string, allow: CallbackAllow): boolean {
  if (!ipaddr.isValid(ip)) return false;
  if (allow.everything || allow.hosts.has(withoutDot(hostname.toLowerCase()))) return true;
  // `process` unwraps ::ffff:a.b.c.d, which connects to a.b.c.d.
  const address = ipaddr.process(ip);
  if (allow.ranges.some(([network, bits]) => network.kind() === address.kind() && address.match(network, bits))) return true;
  if (address.range() !== 'unicast') return false;
  return address instanceof ipaddr.IPv6 ? address.match(globalUnicast) : address.toString() !== azureMetadata;
}

/** A URL's host as the resolver takes it: no brackets, no dot at the end. */
function bareHost(url: URL): string {
  return withoutDot(url.hostname.replace(/^\[|\]$/g, ''));
}

function isLoopbackName(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost');
}

function withoutDot(name: string): string {
  return name.endsWith('.') ? name.slice(0, -1) : name;
}

function parseRange(entry: string): Range | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(entry) || ipaddr.IPv6.isValid(entry)) {
    const address = ipaddr.process(entry);
    return [address, address.kind() === 'ipv4' ? 32 : 128];
  }
  if (ipaddr.IPv4.isValidCIDRFourPartDecimal(entry) || ipaddr.IPv6.isValidCIDR(entry)) return ipaddr.parseCIDR(entry);
  return undefined;
}
