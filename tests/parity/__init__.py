"""Who reaches whom, read from rendered CloudFormation by code that shares nothing with what rendered it.

It takes templates as parsed JSON, resolves what they say of each other, and follows a packet through security groups,
network ACLs, routes, NAT gateways, VPN connections, Service Connect, the REST API and the balancer's rules, as AWS's
documentation says that they work. It imports json and ipaddress, and nothing of anden.

    symbols   what a template's references mean, across stacks
    groups    security groups
    network   subnets, routes, network ACLs, and the ways out
    services  ECS services: where their tasks are, on which ports they listen, whom they know by name
    entrance  REST API, VPC link, balancer, listener rules
    answer    the questions: may this one open that one, and which hop stops it?
"""
